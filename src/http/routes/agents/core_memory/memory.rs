//! `GET /v1/agents/{agent_id}/core-memory`

use axum::{Json, extract::State};
use engram_domain::AgentId;

use crate::http::{
    dto::blocks::MemoryDto, error::ApiError, extract::PathId, routes::agents::agent_state, state::AppState,
};

/// The memory of an agent.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/core-memory", tag = "agents", params(("agent_id" = String, Path)),
    responses((status = 200, body = MemoryDto)))]
pub async fn memory(State(state): State<AppState>, PathId(id): PathId<AgentId>) -> Result<Json<MemoryDto>, ApiError> {
    Ok(Json(agent_state(&state, id).await?.memory))
}
