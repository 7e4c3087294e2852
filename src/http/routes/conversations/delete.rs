//! `DELETE /v1/conversations/{conversation_id}`

use axum::Json;

use super::{AgentQuery, find};
use crate::app::App;
use crate::http::{ApiError, ApiQuery, PathId};

/// Delete a conversation with its messages. Runs in it are cancelled.
#[utoipa::path(
    delete, path = "/v1/conversations/{conversation_id}", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Id of the conversation"), AgentQuery),
    responses((status = 200, description = "`null`"), (status = 404, description = "No such conversation"))
)]
pub async fn delete_conversation(
    app: App,
    PathId(id): PathId<String>,
    ApiQuery(query): ApiQuery<AgentQuery>,
) -> Result<Json<()>, ApiError> {
    let conversation = find(&app, &id, query.agent_id).await?;
    if conversation.is_default() {
        return Err(ApiError::bad_request(
            "An agent's own history goes only with the agent; reset its messages instead",
        ));
    }
    if !app.store.delete_conversation(conversation.id, app.clock.now()).await? {
        return Err(ApiError::not_found("Conversation", &id));
    }
    Ok(Json(()))
}
