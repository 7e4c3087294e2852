//! `POST /v1/agents/{agent_id}/messages`

use axum::response::Response;
use engram_domain::AgentId;

use crate::app::{App, runs::Target};
use crate::http::{
    ApiError, ApiJson, Caller, IdempotencyKey, PathId,
    dto::messages::{LettaResponse, MessageRequest},
    turn::{answer, answer_streaming},
};

/// Send a message and get the answer whole, or as a stream with `streaming`.
#[utoipa::path(
    post, path = "/v1/agents/{agent_id}/messages", tag = "agents.messages",
    params(
        ("agent_id" = String, Path, description = "Id of the agent"),
        ("Idempotency-Key" = Option<String>, Header, description = "A request with a key that came before is answered with the first one's run")
    ),
    request_body = MessageRequest,
    responses(
        (status = 200, body = LettaResponse, description = "New messages, stop reason and usage; or server-sent events"),
        (status = 404, description = "No such agent"),
        (status = 409, description = "Tool calls wait for approval, or the agent is busy and `busy_policy` is `reject`"),
        (status = 422, description = "A member is wrong, or the `Idempotency-Key` was used for another request"),
        (status = 429, description = "Too many runs wait already")
    )
)]
pub async fn send_message(
    app: App,
    PathId(agent_id): PathId<AgentId>,
    caller: Caller,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<MessageRequest>,
) -> Result<Response, ApiError> {
    let target = Target::default_of(agent_id);
    if request.streaming.unwrap_or_default() {
        answer_streaming(&app, target, &request, caller, &key).await
    } else {
        answer(&app, target, &request, caller, &key).await
    }
}
