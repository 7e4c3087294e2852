//! `POST /v1/conversations/{conversation_id}/cancel`

use axum::Json as AxumJson;
use engram_domain::Json;

use super::{AgentQuery, find};
use crate::app::{App, messages};
use crate::http::{ApiError, ApiQuery, PathId};

/// Cancels the runs of a conversation.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation_id}/cancel", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Id of the conversation"), AgentQuery),
    responses((status = 200, body = Object), (status = 404, description = "No such conversation"), (status = 409, description = "Nothing runs"))
)]
pub async fn cancel_conversation(
    app: App,
    PathId(id): PathId<String>,
    ApiQuery(query): ApiQuery<AgentQuery>,
) -> Result<AxumJson<Json>, ApiError> {
    let conversation = find(&app, &id, query.agent_id).await?;
    Ok(AxumJson(Json::Object(messages::cancel_conversation(&app, &conversation).await?)))
}
