//! `DELETE /v1/archives/{archive_id}`

use axum::http::StatusCode;
use engram_domain::ArchiveId;

use crate::app::App;
use crate::http::{error::ApiError, extract::PathId};

/// Deletes an archive with its passages and takes it from every agent that has it.
#[utoipa::path(delete, path = "/v1/archives/{archive_id}", tag = "archives", params(("archive_id" = String, Path)),
    responses((status = 204)))]
pub async fn delete(app: App, PathId(id): PathId<ArchiveId>) -> Result<StatusCode, ApiError> {
    if !app.store.delete_archive(id).await? {
        return Err(ApiError::not_found("Archive", id));
    }
    Ok(StatusCode::NO_CONTENT)
}
