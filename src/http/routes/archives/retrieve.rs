//! `GET /v1/archives/{archive_id}`

use axum::{Json, extract::State};
use engram_domain::{Archive, ArchiveId};

use crate::http::{dto::archives::ArchiveDto, error::ApiError, extract::PathId, state::AppState};

/// An archive.
#[utoipa::path(get, path = "/v1/archives/{archive_id}", tag = "archives", params(("archive_id" = String, Path)),
    responses((status = 200, body = ArchiveDto)))]
pub async fn retrieve(
    State(state): State<AppState>,
    PathId(id): PathId<ArchiveId>,
) -> Result<Json<ArchiveDto>, ApiError> {
    find(&state, id).await.map(|archive| Json(archive.into()))
}

/// The archive, or 404.
pub async fn find(state: &AppState, id: ArchiveId) -> Result<Archive, ApiError> {
    state.store.archive(id).await?.ok_or_else(|| ApiError::not_found("Archive", id))
}
