//! `GET /v1/archives/{archive_id}`

use axum::Json;
use engram_domain::{Archive, ArchiveId};

use crate::app::App;
use crate::http::{dto::archives::ArchiveDto, error::ApiError, extract::PathId};

/// An archive.
#[utoipa::path(get, path = "/v1/archives/{archive_id}", tag = "archives", params(("archive_id" = String, Path)),
    responses((status = 200, body = ArchiveDto)))]
pub async fn retrieve(app: App, PathId(id): PathId<ArchiveId>) -> Result<Json<ArchiveDto>, ApiError> {
    find(&app, id).await.map(|archive| Json(archive.into()))
}

/// The archive, or 404.
pub async fn find(app: &App, id: ArchiveId) -> Result<Archive, ApiError> {
    app.store.archive(id).await?.ok_or_else(|| ApiError::not_found("Archive", id))
}
