//! `DELETE /v1/archives/{archive_id}/passages/{passage_id}`

use axum::http::StatusCode;
use engram_domain::{ArchiveId, PassageId};

use crate::app::{App, archives::passages};
use crate::http::{error::ApiError, extract::PathId};

/// Deletes a passage of an archive.
#[utoipa::path(delete, path = "/v1/archives/{archive_id}/passages/{passage_id}", tag = "archives",
    params(("archive_id" = String, Path), ("passage_id" = String, Path)), responses((status = 204)))]
pub async fn delete_passage(
    app: App,
    PathId((id, passage)): PathId<(ArchiveId, PassageId)>,
) -> Result<StatusCode, ApiError> {
    passages::delete(&app, id, passage).await?;
    Ok(StatusCode::NO_CONTENT)
}
