//! `GET /v1/agents/{agent_id}/sources`

use axum::Json;
use engram_domain::AgentId;

use crate::app::{App, agents::require};
use crate::http::{error::ApiError, extract::PathId};

/// The sources of an agent. There are none yet.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/sources", tag = "agents", params(("agent_id" = String, Path)),
    responses((status = 200, body = Vec<Object>)))]
pub async fn sources(app: App, PathId(id): PathId<AgentId>) -> Result<Json<Vec<engram_domain::Json>>, ApiError> {
    require(&app, id).await?;
    Ok(Json(vec![]))
}
