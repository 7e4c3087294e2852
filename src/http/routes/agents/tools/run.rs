//! `POST /v1/agents/{agent_id}/tools/{tool_name}/run`

use axum::Json;
use engram_domain::{AgentId, ToolStatus};

use crate::app::{App, agents};
use crate::http::{
    dto::tools::{ToolExecuteRequest, ToolExecutionResult},
    error::ApiError,
    extract::{OptionalJson, PathId},
};

/// Runs a tool of the agent as the agent would, without its model. What goes wrong in the tool is an
/// answer with `status` `error`.
#[utoipa::path(post, path = "/v1/agents/{agent_id}/tools/{tool_name}/run", tag = "agents",
    params(("agent_id" = String, Path), ("tool_name" = String, Path)), request_body = Option<ToolExecuteRequest>,
    responses((status = 200, body = ToolExecutionResult)))]
pub async fn run(
    app: App,
    PathId((id, name)): PathId<(AgentId, String)>,
    OptionalJson(request): OptionalJson<ToolExecuteRequest>,
) -> Result<Json<ToolExecutionResult>, ApiError> {
    let outcome = agents::run_tool(&app, id, &name, request.args).await?;
    Ok(Json(ToolExecutionResult {
        status: match outcome.status {
            ToolStatus::Success => "success",
            ToolStatus::Error => "error",
        },
        func_return: Some(outcome.text),
        agent_state: None,
        stdout: outcome.stdout,
        stderr: outcome.stderr,
        sandbox_config_fingerprint: None,
    }))
}
