//! `DELETE /v1/conversations/{conversation_id}`

use axum::{Json, extract::State};

use super::{AgentQuery, find};
use crate::http::{ApiError, ApiQuery, AppState, PathId};

/// Delete a conversation with its messages. Runs in it are cancelled.
#[utoipa::path(
    delete, path = "/v1/conversations/{conversation_id}", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Id of the conversation"), AgentQuery),
    responses((status = 200, description = "`null`"), (status = 404, description = "No such conversation"))
)]
pub async fn delete_conversation(
    State(state): State<AppState>,
    PathId(id): PathId<String>,
    ApiQuery(query): ApiQuery<AgentQuery>,
) -> Result<Json<()>, ApiError> {
    let conversation = find(&state, &id, query.agent_id).await?;
    if conversation.is_default() {
        return Err(ApiError::bad_request(
            "An agent's own history goes only with the agent; reset its messages instead",
        ));
    }
    if !state.store.delete_conversation(conversation.id, state.clock.now()).await? {
        return Err(ApiError::not_found("Conversation", &id));
    }
    Ok(Json(()))
}
