//! `PATCH /v1/agents/{agent_id}`

use axum::Json;
use engram_domain::AgentId;

use crate::app::{App, agents};
use crate::http::{
    caller::Caller,
    dto::agents::{AgentStateDto, UpdateAgent},
    error::ApiError,
    extract::{ApiJson, PathId},
    show::agent_state,
};

/// Changes an agent. Absent members stay as they are. `enable_sleeptime` gives it a companion, if it has none, or
/// takes the companion away.
#[utoipa::path(patch, path = "/v1/agents/{agent_id}", tag = "agents", params(("agent_id" = String, Path)),
    request_body = UpdateAgent, responses((status = 200, body = AgentStateDto)))]
pub async fn modify(
    app: App,
    caller: Caller,
    PathId(id): PathId<AgentId>,
    ApiJson(request): ApiJson<UpdateAgent>,
) -> Result<Json<AgentStateDto>, ApiError> {
    let agent = agents::find(&app, id).await?;
    agents::change(&app, agent, request.change(caller)?).await?;
    agent_state(&app, id).await.map(Json)
}
