//! `POST /v1/conversations/{conversation_id}/fork`

use axum::Json;

use super::{AgentQuery, as_asked, show};
use crate::app::{App, conversations};
use crate::http::{
    ApiError, ApiQuery, PathId,
    dto::conversations::{ConversationDto, conversation_id},
};

/// Copies a conversation into a new one; this one stays as it is.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation_id}/fork", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Id of the conversation"), AgentQuery),
    responses((status = 200, body = ConversationDto), (status = 404, description = "No such conversation"))
)]
pub async fn fork_conversation(
    app: App,
    PathId(id): PathId<String>,
    ApiQuery(query): ApiQuery<AgentQuery>,
) -> Result<Json<ConversationDto>, ApiError> {
    let from = conversation_id(&id, query.agent_id)?;
    let forked = conversations::fork(&app, from).await.map_err(|error| as_asked(&id, error))?;
    show(&app, forked).await.map(Json)
}
