//! `DELETE /v1/archives/{archive_id}`

use axum::{extract::State, http::StatusCode};
use engram_domain::ArchiveId;

use crate::http::{error::ApiError, extract::PathId, state::AppState};

/// Deletes an archive with its passages and takes it from every agent that has it.
#[utoipa::path(delete, path = "/v1/archives/{archive_id}", tag = "archives", params(("archive_id" = String, Path)),
    responses((status = 204)))]
pub async fn delete(State(state): State<AppState>, PathId(id): PathId<ArchiveId>) -> Result<StatusCode, ApiError> {
    if !state.store.delete_archive(id).await? {
        return Err(ApiError::not_found("Archive", id));
    }
    Ok(StatusCode::NO_CONTENT)
}
