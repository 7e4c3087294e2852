//! `GET /v1/archives/{archive_id}`

use axum::Json;
use engram_domain::ArchiveId;

use crate::app::{App, archives};
use crate::http::{
    dto::{archives::ArchiveDto, owned::OwnedBy},
    error::ApiError,
    extract::PathId,
};

/// An archive.
#[utoipa::path(get, path = "/v1/archives/{archive_id}", tag = "archives", params(("archive_id" = String, Path)),
    responses((status = 200, body = ArchiveDto)))]
pub async fn retrieve(app: App, PathId(id): PathId<ArchiveId>) -> Result<Json<ArchiveDto>, ApiError> {
    Ok(Json(ArchiveDto::new(archives::find(&app, id).await?, OwnedBy::of(&app))))
}
