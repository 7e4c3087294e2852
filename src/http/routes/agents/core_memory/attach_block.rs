//! `PATCH /v1/agents/{agent_id}/core-memory/blocks/attach/{block_id}`

use axum::Json;
use engram_domain::{AgentId, BlockId};
use engram_store::agents::Attached;

use crate::app::App;
use crate::http::{dto::agents::AgentStateDto, error::ApiError, extract::PathId, show::agent_state};

/// Attaches a block behind the others of the agent. 409 when it has another one with that label.
#[utoipa::path(patch, path = "/v1/agents/{agent_id}/core-memory/blocks/attach/{block_id}", tag = "agents",
    params(("agent_id" = String, Path), ("block_id" = String, Path)), responses((status = 200, body = AgentStateDto)))]
pub async fn attach_block(
    app: App,
    PathId((id, block)): PathId<(AgentId, BlockId)>,
) -> Result<Json<AgentStateDto>, ApiError> {
    match app.store.attach_block(id, block, app.clock.now()).await? {
        Attached::Done => agent_state(&app, id).await.map(Json),
        Attached::NoAgent => Err(ApiError::not_found("Agent", id)),
        Attached::NoItem => Err(ApiError::not_found("Block", block)),
    }
}
