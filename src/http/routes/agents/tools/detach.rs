//! `PATCH /v1/agents/{agent_id}/tools/detach/{tool_id}`

use axum::Json;
use engram_domain::{AgentId, ToolId};

use crate::app::{App, agents::tools};
use crate::http::{dto::agents::AgentStateDto, error::ApiError, extract::PathId, show::agent_state};

/// Detaches a tool from the agent.
#[utoipa::path(patch, path = "/v1/agents/{agent_id}/tools/detach/{tool_id}", tag = "agents",
    params(("agent_id" = String, Path), ("tool_id" = String, Path)), responses((status = 200, body = AgentStateDto)))]
pub async fn detach_tool(
    app: App,
    PathId((id, tool)): PathId<(AgentId, ToolId)>,
) -> Result<Json<AgentStateDto>, ApiError> {
    tools::detach(&app, id, tool).await?;
    agent_state(&app, id).await.map(Json)
}
