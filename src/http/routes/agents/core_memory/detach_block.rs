//! `PATCH /v1/agents/{agent_id}/core-memory/blocks/detach/{block_id}`

use axum::Json;
use engram_domain::{AgentId, BlockId};
use engram_store::agents::Attached;

use crate::app::App;
use crate::http::{dto::agents::AgentStateDto, error::ApiError, extract::PathId, show::agent_state};

/// Detaches a block from the agent. The block itself stays.
#[utoipa::path(patch, path = "/v1/agents/{agent_id}/core-memory/blocks/detach/{block_id}", tag = "agents",
    params(("agent_id" = String, Path), ("block_id" = String, Path)), responses((status = 200, body = AgentStateDto)))]
pub async fn detach_block(
    app: App,
    PathId((id, block)): PathId<(AgentId, BlockId)>,
) -> Result<Json<AgentStateDto>, ApiError> {
    match app.store.detach_block(id, block, app.clock.now()).await? {
        Attached::Done => agent_state(&app, id).await.map(Json),
        Attached::NoAgent => Err(ApiError::not_found("Agent", id)),
        Attached::NoItem => Err(ApiError::not_found("Block", block)),
    }
}
