//! `POST /v1/archives/`

use axum::Json;

use crate::app::{App, archives};
use crate::http::{
    dto::{
        archives::{ArchiveDto, CreateArchive},
        owned::OwnedBy,
    },
    error::ApiError,
    extract::ApiJson,
};

/// Creates an archive. Its embedding model cannot be changed later.
#[utoipa::path(post, path = "/v1/archives", tag = "archives", request_body = CreateArchive,
    responses((status = 200, body = ArchiveDto)))]
pub async fn create(app: App, ApiJson(request): ApiJson<CreateArchive>) -> Result<Json<ArchiveDto>, ApiError> {
    Ok(Json(ArchiveDto::new(archives::create(&app, request.into()).await?, OwnedBy::of(&app))))
}
