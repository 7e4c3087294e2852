//! `POST /openai/v1/{agent_id}/chat/completions`

use axum::response::Response;
use engram_domain::AgentId;

use super::complete::complete;
use crate::app::App;
use crate::http::{
    ApiError, ApiJson, IdempotencyKey, PathId,
    dto::chat::{ChatError, ChatRequest, Completion},
};

/// Sends a message to an agent in OpenAI's chat completion format; `model` is ignored.
///
/// With `stream` the answer comes in chunks (`chat.completion.chunk`) as server-sent events.
#[utoipa::path(
    post, path = "/openai/v1/{agent_id}/chat/completions", tag = "chat",
    params(("agent_id" = String, Path, description = "Id of the agent")),
    request_body = ChatRequest,
    responses((status = 200, body = Completion), (status = 404, description = "No such agent"))
)]
pub async fn complete_agent_chat(
    app: App,
    agent: Result<PathId<AgentId>, ApiError>,
    key: Result<IdempotencyKey, ApiError>,
    body: Result<ApiJson<ChatRequest>, ApiError>,
) -> Result<Response, ChatError> {
    let (PathId(agent), ApiJson(request)) = (agent?, body?);
    complete(&app, agent, &request, key, request.stream.unwrap_or_default()).await
}
