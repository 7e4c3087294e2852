//! `PATCH /v1/agents/{agent_id}/tools/approval/{tool_name}`

use axum::Json;
use engram_domain::{AgentId, Json as Value};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::{App, agents::tools};
use crate::http::{
    dto::{agents::AgentStateDto, tools::ModifyApproval},
    error::ApiError,
    extract::{ApiJson, ApiQuery, PathId},
    show::agent_state,
};

/// Query parameters.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ApprovalQuery {
    /// The same as in the body, for older clients.
    requires_approval: Option<bool>,
}

/// Says whether a tool of the agent waits for a person: adds or removes a `requires_approval` rule.
#[utoipa::path(patch, path = "/v1/agents/{agent_id}/tools/approval/{tool_name}", tag = "agents",
    params(ApprovalQuery, ("agent_id" = String, Path), ("tool_name" = String, Path)),
    request_body = Option<ModifyApproval>, responses((status = 200, body = AgentStateDto)))]
pub async fn approval(
    app: App,
    PathId((id, name)): PathId<(AgentId, String)>,
    ApiQuery(query): ApiQuery<ApprovalQuery>,
    body: Option<ApiJson<ModifyApproval>>,
) -> Result<Json<AgentStateDto>, ApiError> {
    let on = body
        .map(|b| b.0.requires_approval)
        .or(query.requires_approval)
        .ok_or_else(|| ApiError::invalid(&["body", "requires_approval"], "Field required", Value::Null))?;
    tools::set_approval(&app, id, name, on).await?;
    agent_state(&app, id).await.map(Json)
}
