//! `GET /v1/agents/{agent_id}/groups`

use axum::{Json, extract::State};
use engram_domain::AgentId;

use super::states::require;
use crate::http::{error::ApiError, extract::PathId, state::AppState};

/// The groups of an agent. There are none yet.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/groups", tag = "agents", params(("agent_id" = String, Path)),
    responses((status = 200, body = Vec<Object>)))]
pub async fn groups(
    State(state): State<AppState>,
    PathId(id): PathId<AgentId>,
) -> Result<Json<Vec<engram_domain::Json>>, ApiError> {
    require(&state, id).await?;
    Ok(Json(vec![]))
}
