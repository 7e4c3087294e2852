//! `PATCH /v1/agents/{agent_id}/archives/attach/{archive_id}`

use axum::Json;
use engram_domain::{AgentId, ArchiveId};
use engram_store::agents::Attached;

use crate::app::App;
use crate::http::{error::ApiError, extract::PathId};

/// Attaches an archive. The agent's tools search all its archives and write to the first.
#[utoipa::path(patch, path = "/v1/agents/{agent_id}/archives/attach/{archive_id}", tag = "agents",
    params(("agent_id" = String, Path), ("archive_id" = String, Path)), responses((status = 200, description = "`null`")))]
pub async fn attach_archive(
    app: App,
    PathId((id, archive)): PathId<(AgentId, ArchiveId)>,
) -> Result<Json<()>, ApiError> {
    match app.store.attach_archive(id, archive, app.clock.now()).await? {
        Attached::Done => Ok(Json(())),
        Attached::NoAgent => Err(ApiError::not_found("Agent", id)),
        Attached::NoItem => Err(ApiError::not_found("Archive", archive)),
    }
}
