//! `GET /v1/conversations/{conversation_id}`

use axum::Json;

use super::{AgentQuery, find, show};
use crate::app::App;
use crate::http::{ApiError, ApiQuery, PathId, dto::conversations::ConversationDto};

/// Get a conversation.
#[utoipa::path(
    get, path = "/v1/conversations/{conversation_id}", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Id of the conversation"), AgentQuery),
    responses((status = 200, body = ConversationDto), (status = 404, description = "No such conversation"))
)]
pub async fn retrieve_conversation(
    app: App,
    PathId(id): PathId<String>,
    ApiQuery(query): ApiQuery<AgentQuery>,
) -> Result<Json<ConversationDto>, ApiError> {
    let conversation = find(&app, &id, query.agent_id).await?;
    show(&app, conversation).await.map(Json)
}
