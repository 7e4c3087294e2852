//! `PATCH /v1/agents/{agent_id}/core-memory/blocks/detach/{block_id}`

use axum::{Json, extract::State};
use engram_domain::{AgentId, BlockId};
use engram_store::agents::Attached;

use crate::http::{
    dto::agents::AgentStateDto, error::ApiError, extract::PathId, routes::agents::agent_state, state::AppState,
};

/// Detaches a block from the agent. The block itself stays.
#[utoipa::path(patch, path = "/v1/agents/{agent_id}/core-memory/blocks/detach/{block_id}", tag = "agents",
    params(("agent_id" = String, Path), ("block_id" = String, Path)), responses((status = 200, body = AgentStateDto)))]
pub async fn detach_block(
    State(state): State<AppState>,
    PathId((id, block)): PathId<(AgentId, BlockId)>,
) -> Result<Json<AgentStateDto>, ApiError> {
    match state.store.detach_block(id, block, state.clock.now()).await? {
        Attached::Done => agent_state(&state, id).await.map(Json),
        Attached::NoAgent => Err(ApiError::not_found("Agent", id)),
        Attached::NoItem => Err(ApiError::not_found("Block", block)),
    }
}
