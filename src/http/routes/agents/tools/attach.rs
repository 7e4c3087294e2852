//! `PATCH /v1/agents/{agent_id}/tools/attach/{tool_id}`

use axum::Json;
use engram_domain::{AgentId, ToolId};

use crate::app::{App, agents::tools};
use crate::http::{dto::agents::AgentStateDto, error::ApiError, extract::PathId, show::agent_state};

/// Attaches a tool to the agent, with a rule for approval where the tool asks for one.
#[utoipa::path(patch, path = "/v1/agents/{agent_id}/tools/attach/{tool_id}", tag = "agents",
    params(("agent_id" = String, Path), ("tool_id" = String, Path)), responses((status = 200, body = AgentStateDto)))]
pub async fn attach_tool(
    app: App,
    PathId((id, tool)): PathId<(AgentId, ToolId)>,
) -> Result<Json<AgentStateDto>, ApiError> {
    tools::attach(&app, id, tool).await?;
    agent_state(&app, id).await.map(Json)
}
