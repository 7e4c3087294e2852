//! `POST /v1/conversations/{conversation_id}/cancel`

use axum::{Json as AxumJson, extract::State};
use engram_domain::Json;

use super::{AgentQuery, find};
use crate::http::{ApiError, ApiQuery, AppState, PathId, routes::messages::cancel_runs};

/// Cancel what runs in a conversation.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation_id}/cancel", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Id of the conversation"), AgentQuery),
    responses((status = 200, body = Object), (status = 404, description = "No such conversation"), (status = 409, description = "Nothing runs"))
)]
pub async fn cancel_conversation(
    State(state): State<AppState>,
    PathId(id): PathId<String>,
    ApiQuery(query): ApiQuery<AgentQuery>,
) -> Result<AxumJson<Json>, ApiError> {
    let conversation = find(&state, &id, query.agent_id).await?;
    cancel_runs(&state, &conversation).await
}
