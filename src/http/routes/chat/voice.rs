//! `POST /v1/voice-beta/{agent_id}/chat/completions`

use axum::response::Response;
use engram_domain::AgentId;

use super::complete::complete;
use crate::app::App;
use crate::http::{
    ApiError, ApiJson, IdempotencyKey, PathId,
    dto::chat::{ChatError, ChatRequest, Completion},
};

/// Sends a message to an agent from a voice pipeline; answers chunks as server-sent events, unless `stream` is
/// `false`.
///
/// `model` is ignored: the agent has its own.
#[utoipa::path(
    post, path = "/v1/voice-beta/{agent_id}/chat/completions", tag = "chat",
    params(("agent_id" = String, Path, description = "Id of the agent")),
    request_body = ChatRequest,
    responses(
        (status = 200, body = Completion, description = "Or chunks of it, as server-sent events"),
        (status = 404, description = "No such agent"),
    )
)]
pub async fn complete_voice_chat(
    app: App,
    agent: Result<PathId<AgentId>, ApiError>,
    key: Result<IdempotencyKey, ApiError>,
    body: Result<ApiJson<ChatRequest>, ApiError>,
) -> Result<Response, ChatError> {
    let (PathId(agent), ApiJson(request)) = (agent?, body?);
    complete(&app, agent, &request, key, request.stream.unwrap_or(true)).await
}
