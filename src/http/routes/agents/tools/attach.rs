//! `PATCH /v1/agents/{agent_id}/tools/attach/{tool_id}`

use axum::Json;
use engram_domain::{AgentId, ToolId, ToolRule, rule::RuleKind};
use engram_store::agents::Attached;

use crate::app::App;
use crate::http::{dto::agents::AgentStateDto, error::ApiError, extract::PathId, show::agent_state};

/// Attaches a tool to the agent, with a rule for approval where the tool asks for one.
#[utoipa::path(patch, path = "/v1/agents/{agent_id}/tools/attach/{tool_id}", tag = "agents",
    params(("agent_id" = String, Path), ("tool_id" = String, Path)), responses((status = 200, body = AgentStateDto)))]
pub async fn attach_tool(
    app: App,
    PathId((id, tool)): PathId<(AgentId, ToolId)>,
) -> Result<Json<AgentStateDto>, ApiError> {
    match app.store.attach_tool(id, tool, app.clock.now()).await? {
        Attached::Done => {}
        Attached::NoAgent => return Err(ApiError::not_found("Agent", id)),
        Attached::NoItem => return Err(ApiError::not_found("Tool", tool)),
    }
    let tool = app.store.tool(tool).await?;
    if let Some(tool) = tool.filter(|t| t.default_requires_approval == Some(true)) {
        let rule = ToolRule::new(tool.name, RuleKind::RequiresApproval);
        let add = move |rules: &mut Vec<ToolRule>| {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        };
        app.store.modify_rules(id, app.clock.now(), add).await?;
    }
    agent_state(&app, id).await.map(Json)
}
