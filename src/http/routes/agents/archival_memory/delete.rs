//! `DELETE /v1/agents/{agent_id}/archival-memory/{memory_id}`

use axum::Json;
use engram_domain::{AgentId, ArchiveId, PassageId};

use crate::app::App;
use crate::http::{error::ApiError, extract::PathId, routes::agents::require};

/// Deletes a passage of the agent's archives.
#[utoipa::path(delete, path = "/v1/agents/{agent_id}/archival-memory/{memory_id}", tag = "agents",
    params(("agent_id" = String, Path), ("memory_id" = String, Path)), responses((status = 200, description = "`null`")))]
pub async fn delete(app: App, PathId((id, passage)): PathId<(AgentId, PassageId)>) -> Result<Json<()>, ApiError> {
    let archives: Vec<ArchiveId> = app.store.archives_of_agent(id).await?.into_iter().map(|a| a.id).collect();
    if !app.store.delete_passage(&archives, passage).await? {
        require(&app, id).await?;
        return Err(ApiError::not_found("Passage", passage));
    }
    Ok(Json(()))
}
