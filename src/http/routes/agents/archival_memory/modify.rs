//! `PATCH /v1/agents/{agent_id}/archival-memory/{memory_id}`

use axum::Json;
use engram_domain::{AgentId, PassageId};
use engram_store::passages::PassagePatch;

use crate::app::App;
use crate::http::{
    dto::passages::{PassageDto, UpdatePassage},
    error::ApiError,
    extract::{ApiJson, PathId},
    routes::{
        agents::{creation::plan::sorted, require},
        archives::embedding::embed,
    },
};

/// Changes a passage of the agent's archives; a new text is embedded anew. Answers a list of one.
#[utoipa::path(patch, path = "/v1/agents/{agent_id}/archival-memory/{memory_id}", tag = "agents",
    params(("agent_id" = String, Path), ("memory_id" = String, Path)), request_body = UpdatePassage,
    responses((status = 200, body = Vec<PassageDto>)))]
pub async fn modify(
    app: App,
    PathId((id, passage_id)): PathId<(AgentId, PassageId)>,
    ApiJson(request): ApiJson<UpdatePassage>,
) -> Result<Json<Vec<PassageDto>>, ApiError> {
    let archives = app.store.archives_of_agent(id).await?;
    let present = app.store.passage(passage_id).await?;
    let archive = present.and_then(|p| archives.into_iter().find(|a| a.id == p.archive_id));
    let Some(archive) = archive else {
        require(&app, id).await?;
        return Err(ApiError::not_found("Passage", passage_id));
    };
    let text = match request.text {
        None => None,
        Some(text) => {
            let vector = embed(&app, &archive.embedding, std::slice::from_ref(&text)).await?.pop();
            vector.map(|v| (text, v))
        }
    };
    let patch = PassagePatch { text, tags: request.tags.map(sorted), metadata: request.metadata.or(request.metadata_) };
    let passage = app
        .store
        .modify_passage(passage_id, &patch, app.clock.now())
        .await?
        .ok_or_else(|| ApiError::not_found("Passage", passage_id))?;
    Ok(Json(vec![PassageDto::new(passage, &archive, Some(id))]))
}
