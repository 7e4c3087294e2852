//! `POST /v1/agents/{agent_id}/messages/stream`

use axum::response::Response;
use engram_domain::AgentId;

use crate::app::{App, runs::Target};
use crate::http::{
    ApiError, ApiJson, Caller, IdempotencyKey, PathId, dto::messages::MessageRequest, turn::answer_streaming,
};

/// Send a message and get the answer as server-sent events: by step, or by token with `stream_tokens`.
#[utoipa::path(
    post, path = "/v1/agents/{agent_id}/messages/stream", tag = "agents.messages",
    params(("agent_id" = String, Path, description = "Id of the agent")),
    request_body = MessageRequest,
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 404, description = "No such agent"))
)]
pub async fn stream_message(
    app: App,
    PathId(agent_id): PathId<AgentId>,
    caller: Caller,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<MessageRequest>,
) -> Result<Response, ApiError> {
    answer_streaming(&app, Target::default_of(agent_id), &request, caller, &key).await
}
