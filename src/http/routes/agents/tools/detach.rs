//! `PATCH /v1/agents/{agent_id}/tools/detach/{tool_id}`

use axum::{Json, extract::State};
use engram_domain::{AgentId, ToolId};
use engram_store::agents::Attached;

use crate::http::{
    dto::agents::AgentStateDto, error::ApiError, extract::PathId, routes::agents::agent_state, state::AppState,
};

/// Detaches a tool from the agent.
#[utoipa::path(patch, path = "/v1/agents/{agent_id}/tools/detach/{tool_id}", tag = "agents",
    params(("agent_id" = String, Path), ("tool_id" = String, Path)), responses((status = 200, body = AgentStateDto)))]
pub async fn detach_tool(
    State(state): State<AppState>,
    PathId((id, tool)): PathId<(AgentId, ToolId)>,
) -> Result<Json<AgentStateDto>, ApiError> {
    match state.store.detach_tool(id, tool, state.clock.now()).await? {
        Attached::Done => agent_state(&state, id).await.map(Json),
        Attached::NoAgent => Err(ApiError::not_found("Agent", id)),
        Attached::NoItem => Err(ApiError::not_found("Tool", tool)),
    }
}
