//! `GET /v1/agents/{agent_id}/core-memory/blocks/{block_label}`

use axum::{Json, http::StatusCode};
use engram_domain::{AgentId, Block};

use crate::app::App;
use crate::http::{dto::blocks::BlockDto, error::ApiError, extract::PathId, routes::agents::require};

/// The block of an agent with this label.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/core-memory/blocks/{block_label}", tag = "agents",
    params(("agent_id" = String, Path), ("block_label" = String, Path)), responses((status = 200, body = BlockDto)))]
pub async fn retrieve_block(
    app: App,
    PathId((id, label)): PathId<(AgentId, String)>,
) -> Result<Json<BlockDto>, ApiError> {
    find(&app, id, &label).await.map(|block| Json(block.into()))
}

/// The block with this label; 404 says whether the agent or the block is missing.
pub async fn find(app: &App, id: AgentId, label: &str) -> Result<Block, ApiError> {
    if let Some(block) = app.store.block_of_agent(id, label).await? {
        return Ok(block);
    }
    require(app, id).await?;
    Err(ApiError::new(StatusCode::NOT_FOUND, format!("Block with label '{label}' not found in agent {id}")))
}
