//! `DELETE /v1/conversations/{conversation_id}`

use axum::Json;

use super::{AgentQuery, as_asked, find};
use crate::app::{App, conversations};
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
    conversations::delete(&app, &conversation).await.map_err(|error| as_asked(&id, error))?;
    Ok(Json(()))
}
