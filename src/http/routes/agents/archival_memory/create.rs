//! `POST /v1/agents/{agent_id}/archival-memory`

use axum::Json;
use engram_domain::{AgentId, Archive, ArchiveId, Passage, PassageId};

use crate::app::App;
use crate::http::{
    dto::passages::{CreateArchivalMemory, PassageDto},
    error::ApiError,
    extract::{ApiJson, PathId},
    routes::{
        agents::creation::plan::sorted,
        archives::embedding::{chunks, embed},
        passages::search::moment,
    },
};

/// Stores a memory in the agent's first archive, which is made if there is none. A long text becomes
/// several passages, each as long as the archive's embedding model takes.
#[utoipa::path(post, path = "/v1/agents/{agent_id}/archival-memory", tag = "agents", params(("agent_id" = String, Path)),
    request_body = CreateArchivalMemory, responses((status = 200, body = Vec<PassageDto>)))]
pub async fn create(
    app: App,
    PathId(id): PathId<AgentId>,
    ApiJson(request): ApiJson<CreateArchivalMemory>,
) -> Result<Json<Vec<PassageDto>>, ApiError> {
    let agent = app.store.agent(id).await?.ok_or_else(|| ApiError::not_found("Agent", id))?;
    let now = app.clock.now();
    let fresh = Archive {
        id: ArchiveId(app.ids.uuid()),
        name: format!("{}'s archive", agent.name),
        description: None,
        embedding: agent.embedding,
        metadata: None,
        created_at: now,
        updated_at: now,
    };
    let archive = app.store.default_archive(id, &fresh).await?.ok_or_else(|| ApiError::not_found("Agent", id))?;
    let texts = chunks(&request.text, archive.embedding.embedding_chunk_size);
    let vectors = embed(&app, &archive.embedding, &texts).await?;
    let created_at = moment("created_at", request.created_at.as_deref())?.unwrap_or(now);
    let tags = sorted(request.tags.unwrap_or_default());
    let passages: Vec<Passage> = texts
        .into_iter()
        .zip(vectors)
        .map(|(text, embedding)| Passage {
            id: PassageId(app.ids.uuid()),
            archive_id: archive.id,
            source_id: None,
            text,
            embedding,
            tags: tags.clone(),
            metadata: engram_domain::JsonMap::new(),
            created_at,
            updated_at: now,
        })
        .collect();
    app.store.insert_passages(archive.id, &passages).await?;
    Ok(Json(passages.into_iter().map(|p| PassageDto::new(p, &archive, Some(id))).collect()))
}
