//! `POST /v1/agents/{agent_id}/archival-memory`

use axum::Json;
use engram_domain::AgentId;

use crate::app::{App, agents, archives::passages};
use crate::http::{
    dto::{
        owned::OwnedBy,
        passages::{CreateArchivalMemory, PassageDto},
    },
    error::ApiError,
    extract::{ApiJson, PathId},
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
    let agent = agents::find(&app, id).await?;
    let (archive, passages) = passages::remember(&app, agent, request.spec()?).await?;
    let by = OwnedBy::of(&app);
    Ok(Json(passages.into_iter().map(|p| PassageDto::new(p, &archive, Some(id), by)).collect()))
}
