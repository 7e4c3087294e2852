//! `POST /v1/archives/{archive_id}/passages/batch`

use axum::Json;
use engram_domain::ArchiveId;

use crate::app::{
    App,
    archives::{self, passages, reading},
};
use crate::http::{
    dto::passages::{CreatePassages, PassageDto},
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
    let sleeps = request.sleeptime == Some(true);
    let agents = if sleeps { reading::agents_with_sleeptime(&app, id).await? } else { vec![] };
    let archive = archives::find(&app, id).await?;
    let place = |i: usize| vec!["body".to_owned(), "passages".to_owned(), i.to_string()];
    let specs = request.passages.into_iter().enumerate().map(|(i, passage)| passage.spec(place(i)));
    let specs = specs.collect::<Result<Vec<_>, _>>()?;
    // A task of its own: a client that goes away in the middle must not keep some of the agents from their block.
    let work = tokio::spawn(async move {
        let stored = passages::store(&app, &archive, specs).await?;
        for agent in agents {
            reading::read(&app, id, agent, stored.iter().map(|p| p.text.as_str())).await?;
        }
        Ok(Json(stored.into_iter().map(|p| PassageDto::new(p, &archive, None)).collect()))
    });
    work.await.unwrap_or_else(|error| Err(ApiError::internal(error)))
}
