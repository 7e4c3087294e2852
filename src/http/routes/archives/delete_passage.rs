//! `DELETE /v1/archives/{archive_id}/passages/{passage_id}`

use axum::http::StatusCode;
use engram_domain::{ArchiveId, PassageId};

use crate::app::{App, archives::find};
use crate::http::{error::ApiError, extract::PathId};

/// Deletes a passage of an archive.
#[utoipa::path(delete, path = "/v1/archives/{archive_id}/passages/{passage_id}", tag = "archives",
    params(("archive_id" = String, Path), ("passage_id" = String, Path)), responses((status = 204)))]
pub async fn delete_passage(
    app: App,
    PathId((id, passage)): PathId<(ArchiveId, PassageId)>,
) -> Result<StatusCode, ApiError> {
    find(&app, id).await?;
    if !app.store.delete_passage(&[id], passage).await? {
        return Err(ApiError::not_found("Passage", passage));
    }
    Ok(StatusCode::NO_CONTENT)
}
