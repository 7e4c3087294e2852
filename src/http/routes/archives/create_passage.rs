//! `POST /v1/archives/{archive_id}/passages`

use axum::Json;
use engram_domain::ArchiveId;

use super::create_passages::store;
use crate::app::App;
use crate::http::{
    dto::passages::{CreatePassage, PassageDto},
    error::ApiError,
    extract::{ApiJson, PathId},
};

/// Stores a passage in an archive, whole.
#[utoipa::path(post, path = "/v1/archives/{archive_id}/passages", tag = "archives",
    params(("archive_id" = String, Path)), request_body = CreatePassage, responses((status = 200, body = PassageDto)))]
pub async fn create_passage(
    app: App,
    PathId(id): PathId<ArchiveId>,
    ApiJson(request): ApiJson<CreatePassage>,
) -> Result<Json<PassageDto>, ApiError> {
    let mut stored = store(&app, id, vec![(request, vec!["body".to_owned()])]).await?;
    stored.pop().map(Json).ok_or_else(|| ApiError::internal("a stored passage was not returned"))
}
