//! `POST /v1/archives/{archive_id}/passages/batch`

use axum::Json;
use engram_domain::{ArchiveId, Passage, PassageId};

use super::{absorb, embedding::embed, retrieve::find};
use crate::app::App;
use crate::http::{
    dto::passages::{CreatePassage, CreatePassages, PassageDto},
    error::ApiError,
    extract::{ApiJson, PathId},
    routes::{agents::creation::plan::sorted, passages::search::parse_time},
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
    let readers = if sleeps { absorb::readers(&app, id).await? } else { vec![] };
    let placed = request
        .passages
        .into_iter()
        .enumerate()
        .map(|(i, p)| (p, vec!["body".to_owned(), "passages".to_owned(), i.to_string()]))
        .collect();
    // A task of its own: a client that goes away in the middle must not keep some of the readers from their work.
    let work = tokio::spawn(async move {
        let stored = store(&app, id, placed).await?;
        for reader in readers {
            absorb::absorb(&app, id, &reader, stored.iter().map(|p| p.text.as_str())).await?;
        }
        Ok(Json(stored))
    });
    work.await.unwrap_or_else(|error| Err(ApiError::internal(error)))
}

/// Embeds and stores passages; each comes with its place in the request.
pub async fn store(
    app: &App,
    id: ArchiveId,
    requests: Vec<(CreatePassage, Vec<String>)>,
) -> Result<Vec<PassageDto>, ApiError> {
    let archive = find(app, id).await?;
    let now = app.clock.now();
    let texts: Vec<String> = requests.iter().map(|(r, _)| r.text.clone()).collect();
    let mut passages = Vec::with_capacity(requests.len());
    for (request, mut loc) in requests {
        loc.push("created_at".to_owned());
        let created_at = match &request.created_at {
            Some(text) => parse_time(text, &loc, false)?,
            None => now,
        };
        passages.push(Passage {
            id: PassageId(app.ids.uuid()),
            archive_id: id,
            source_id: None,
            text: request.text,
            embedding: vec![],
            tags: sorted(request.tags.unwrap_or_default()),
            metadata: request.metadata.unwrap_or_default(),
            created_at,
            updated_at: now,
        });
    }
    if passages.is_empty() {
        return Ok(vec![]);
    }
    for (passage, vector) in passages.iter_mut().zip(embed(app, &archive.embedding, &texts).await?) {
        passage.embedding = vector;
    }
    app.store.insert_passages(id, &passages).await?;
    Ok(passages.into_iter().map(|p| PassageDto::new(p, &archive, None)).collect())
}
