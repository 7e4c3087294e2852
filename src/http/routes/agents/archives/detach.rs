//! `PATCH /v1/agents/{agent_id}/archives/detach/{archive_id}`

use axum::Json;
use engram_domain::{AgentId, ArchiveId};
use engram_store::agents::Attached;

use crate::app::App;
use crate::http::{error::ApiError, extract::PathId};

/// Detaches an archive from the agent. The archive itself stays.
#[utoipa::path(patch, path = "/v1/agents/{agent_id}/archives/detach/{archive_id}", tag = "agents",
    params(("agent_id" = String, Path), ("archive_id" = String, Path)), responses((status = 200, description = "`null`")))]
pub async fn detach_archive(
    app: App,
    PathId((id, archive)): PathId<(AgentId, ArchiveId)>,
) -> Result<Json<()>, ApiError> {
    match app.store.detach_archive(id, archive, app.clock.now()).await? {
        Attached::Done => Ok(Json(())),
        Attached::NoAgent => Err(ApiError::not_found("Agent", id)),
        Attached::NoItem => Err(ApiError::not_found("Archive", archive)),
    }
}
