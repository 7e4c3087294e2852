//! `DELETE /v1/agents/{agent_id}/archival-memory/{memory_id}`

use axum::{Json, extract::State};
use engram_domain::{AgentId, ArchiveId, PassageId};

use crate::http::{error::ApiError, extract::PathId, routes::agents::require, state::AppState};

/// Deletes a passage of the agent's archives.
#[utoipa::path(delete, path = "/v1/agents/{agent_id}/archival-memory/{memory_id}", tag = "agents",
    params(("agent_id" = String, Path), ("memory_id" = String, Path)), responses((status = 200, description = "`null`")))]
pub async fn delete(
    State(state): State<AppState>,
    PathId((id, passage)): PathId<(AgentId, PassageId)>,
) -> Result<Json<()>, ApiError> {
    let archives: Vec<ArchiveId> = state.store.archives_of_agent(id).await?.into_iter().map(|a| a.id).collect();
    if !state.store.delete_passage(&archives, passage).await? {
        require(&state, id).await?;
        return Err(ApiError::not_found("Passage", passage));
    }
    Ok(Json(()))
}
