//! `POST /v1/agents/{agent_id}/messages/cancel`

use axum::Json as AxumJson;
use engram_domain::{AgentId, Json, RunId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::{App, messages};
use crate::http::{ApiError, OptionalJson, PathId};

/// The runs to cancel.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct CancelRequest {
    /// These; every open run of the agent when absent.
    #[schema(value_type = Option<Vec<String>>)]
    pub run_ids: Option<Vec<RunId>>,
}

/// Cancel runs of an agent. A tool call that waits for approval is denied.
#[utoipa::path(
    post, path = "/v1/agents/{agent_id}/messages/cancel", tag = "agents.messages",
    params(("agent_id" = String, Path, description = "Id of the agent")),
    request_body = Option<CancelRequest>,
    responses(
        (status = 200, body = Object, description = "What became of each run: `cancelled`, or how it had ended"),
        (status = 409, description = "Nothing runs")
    )
)]
pub async fn cancel_agent_runs(
    app: App,
    PathId(agent_id): PathId<AgentId>,
    OptionalJson(request): OptionalJson<CancelRequest>,
) -> Result<AxumJson<Json>, ApiError> {
    let named = request.run_ids.filter(|ids| !ids.is_empty());
    let results = messages::cancel_runs(&app, agent_id, named.as_deref()).await?;
    Ok(AxumJson(Json::Object(results)))
}
