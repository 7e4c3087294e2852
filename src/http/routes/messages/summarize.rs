//! `POST /v1/agents/{agent_id}/summarize`

use axum::Json as AxumJson;
use engram_domain::{AgentId, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::{App, messages};
use crate::http::{
    ApiError, ApiQuery, Caller, OptionalJson, PathId,
    dto::messages::{CompactionRequest, CompactionResponse},
    show::agent_state,
};

/// The old form.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct SummarizeQuery {
    /// Messages that stay in context.
    pub max_message_length: Option<usize>,
}

/// Replaces older messages in context by a summary. With `max_message_length` the answer is the agent.
#[utoipa::path(
    post, path = "/v1/agents/{agent_id}/summarize", tag = "agents.messages",
    params(("agent_id" = String, Path, description = "Id of the agent"), SummarizeQuery),
    request_body = Option<CompactionRequest>,
    responses((status = 200, body = CompactionResponse), (status = 404, description = "No such agent"))
)]
pub async fn summarize_agent(
    app: App,
    PathId(agent_id): PathId<AgentId>,
    caller: Caller,
    ApiQuery(query): ApiQuery<SummarizeQuery>,
    OptionalJson(request): OptionalJson<CompactionRequest>,
) -> Result<AxumJson<Json>, ApiError> {
    let keep_last = query.max_message_length;
    let done = messages::compact_agent(&app, agent_id, request.compaction_settings, keep_last).await?;
    let done = serde_json::to_value(CompactionResponse::from(done)).map_err(ApiError::internal)?;
    if query.max_message_length.is_none() && caller.is_v1_sdk {
        return Ok(AxumJson(done));
    }
    // Old clients read an agent, whichever way they asked.
    let mut agent = serde_json::to_value(agent_state(&app, agent_id).await?).map_err(ApiError::internal)?;
    if let (None, Json::Object(agent), Json::Object(done)) = (query.max_message_length, &mut agent, done) {
        agent.extend(done);
    }
    Ok(AxumJson(agent))
}
