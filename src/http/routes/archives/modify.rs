//! `PATCH /v1/archives/{archive_id}`

use axum::Json;
use engram_domain::ArchiveId;

use crate::app::App;
use crate::http::{
    dto::{
        archives::{ArchiveDto, UpdateArchive},
        owned::OwnedBy,
    },
    error::ApiError,
    extract::{ApiJson, PathId},
};

/// Changes name and description of an archive. Absent members stay as they are.
#[utoipa::path(patch, path = "/v1/archives/{archive_id}", tag = "archives", params(("archive_id" = String, Path)),
    request_body = UpdateArchive, responses((status = 200, body = ArchiveDto)))]
pub async fn modify(
    app: App,
    PathId(id): PathId<ArchiveId>,
    ApiJson(request): ApiJson<UpdateArchive>,
) -> Result<Json<ArchiveDto>, ApiError> {
    let description = request.description.as_ref().map(Option::as_deref);
    let archive = app
        .store
        .modify_archive(id, request.name.as_deref(), description, app.clock.now())
        .await?
        .ok_or_else(|| ApiError::not_found("Archive", id))?;
    Ok(Json(ArchiveDto::new(archive, OwnedBy::of(&app))))
}
