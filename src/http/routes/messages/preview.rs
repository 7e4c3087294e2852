//! `POST /v1/agents/{agent_id}/messages/preview-raw-payload`

use axum::Json as AxumJson;
use engram_domain::{AgentId, Json, RunType};

use crate::app::{App, messages};
use crate::http::{
    ApiError, ApiJson, PathId,
    dto::{messages::MessageRequest, payload::payload},
};

/// Get the request that a message would send to the model, without sending anything.
#[utoipa::path(
    post, path = "/v1/agents/{agent_id}/messages/preview-raw-payload", tag = "agents.messages", extensions(("x-engram-scope" = json!("read"))),
    params(("agent_id" = String, Path, description = "Id of the agent")),
    request_body = MessageRequest,
    responses((status = 200, body = Object), (status = 404, description = "No such agent"))
)]
pub async fn preview_agent_payload(
    app: App,
    PathId(agent_id): PathId<AgentId>,
    ApiJson(request): ApiJson<MessageRequest>,
) -> Result<AxumJson<Json>, ApiError> {
    let spec = request.run(RunType::Preview, None)?;
    let asked = messages::preview(&app, agent_id, agent_id.default_conversation(), spec).await?;
    Ok(AxumJson(payload(&asked)))
}
