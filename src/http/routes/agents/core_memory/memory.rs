//! `GET /v1/agents/{agent_id}/core-memory`

use axum::Json;
use engram_domain::AgentId;

use crate::app::App;
use crate::http::{dto::blocks::MemoryDto, error::ApiError, extract::PathId, show::agent_state};

/// The memory of an agent.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/core-memory", tag = "agents", params(("agent_id" = String, Path)),
    responses((status = 200, body = MemoryDto)))]
pub async fn memory(app: App, PathId(id): PathId<AgentId>) -> Result<Json<MemoryDto>, ApiError> {
    Ok(Json(agent_state(&app, id).await?.memory))
}
