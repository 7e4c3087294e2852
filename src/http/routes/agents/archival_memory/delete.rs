//! `DELETE /v1/agents/{agent_id}/archival-memory/{memory_id}`

use axum::Json;
use engram_domain::{AgentId, PassageId};

use crate::app::{App, archives::passages};
use crate::http::{error::ApiError, extract::PathId};

/// Deletes a passage of the agent's archives.
#[utoipa::path(delete, path = "/v1/agents/{agent_id}/archival-memory/{memory_id}", tag = "agents",
    params(("agent_id" = String, Path), ("memory_id" = String, Path)), responses((status = 200, description = "`null`")))]
pub async fn delete(app: App, PathId((id, passage)): PathId<(AgentId, PassageId)>) -> Result<Json<()>, ApiError> {
    passages::forget(&app, id, passage).await?;
    Ok(Json(()))
}
