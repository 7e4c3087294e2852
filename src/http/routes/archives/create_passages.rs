//! `POST /v1/archives/{archive_id}/passages/batch`

use axum::Json;
use engram_domain::ArchiveId;

use crate::app::{App, archives::reading};
use crate::http::{
    dto::{
        owned::OwnedBy,
        passages::{CreatePassages, PassageDto},
    },
    error::ApiError,
    extract::{ApiJson, PathId},
};

/// Stores several passages in an archive, each whole; all of them or none. With `sleeptime` they are worked into a block
/// as well.
#[utoipa::path(post, path = "/v1/archives/{archive_id}/passages/batch", tag = "archives",
    params(("archive_id" = String, Path)), request_body = CreatePassages,
    responses((status = 200, body = Vec<PassageDto>)))]
pub async fn create_passages(
    app: App,
    PathId(id): PathId<ArchiveId>,
    ApiJson(request): ApiJson<CreatePassages>,
) -> Result<Json<Vec<PassageDto>>, ApiError> {
    let read = request.sleeptime == Some(true);
    let place = |i: usize| vec!["body".to_owned(), "passages".to_owned(), i.to_string()];
    let specs = request.passages.into_iter().enumerate().map(|(i, passage)| passage.spec(place(i)));
    let (archive, stored) = reading::store(&app, id, specs.collect::<Result<_, _>>()?, read).await?;
    let by = OwnedBy::of(&app);
    Ok(Json(stored.into_iter().map(|p| PassageDto::new(p, &archive, None, by)).collect()))
}
