//! `POST /v1/groups/{group_id}/messages` and `…/messages/stream`

use axum::response::Response;
use engram_domain::{GroupId, RunInput};
use engram_engine::groups::speaks_in_turns;
use serde_json::json;

use crate::app::{App, groups::find, runs::Target};
use crate::http::{
    ApiError, ApiJson, Caller, IdempotencyKey, PathId,
    dto::messages::{LettaResponse, MessageRequest, request::MessageCreate},
    turn::{answer, answer_streaming},
};

/// Send a message to a group and get the answer whole, or as a stream with `streaming`. Messages of members that
/// speak in turns carry the speaker's `name`.
#[utoipa::path(
    post, path = "/v1/groups/{group_id}/messages", tag = "groups", params(("group_id" = String, Path)),
    request_body = MessageRequest,
    responses((status = 200, body = LettaResponse), (status = 404, description = "No such group"))
)]
pub async fn send_message(
    app: App,
    PathId(id): PathId<GroupId>,
    caller: Caller,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<MessageRequest>,
) -> Result<Response, ApiError> {
    let streaming = request.streaming.unwrap_or_default();
    tell(&app, id, caller, &key, request, streaming).await
}

/// Send a message to a group and get the answer as server-sent events: by step where members speak in turns, else as
/// an agent's.
#[utoipa::path(
    post, path = "/v1/groups/{group_id}/messages/stream", tag = "groups", params(("group_id" = String, Path)),
    request_body = MessageRequest,
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 404, description = "No such group"))
)]
pub async fn stream_message(
    app: App,
    PathId(id): PathId<GroupId>,
    caller: Caller,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<MessageRequest>,
) -> Result<Response, ApiError> {
    tell(&app, id, caller, &key, request, true).await
}

async fn tell(
    app: &App,
    id: GroupId,
    caller: Caller,
    key: &IdempotencyKey,
    request: MessageRequest,
    streaming: bool,
) -> Result<Response, ApiError> {
    let group = find(app, id).await?;
    let request = in_group(request, id);
    let target = if speaks_in_turns(&group) {
        check(&request.run_input()?)?;
        Target::Group(id)
    } else if let Some(manager) = group.manager.manager_agent_id() {
        Target::default_of(manager)
    } else {
        return Err(ApiError::internal("a group has neither turns nor a manager"));
    };
    if streaming {
        answer_streaming(app, target, &request, caller, key).await
    } else {
        answer(app, target, &request, caller, key).await
    }
}

/// The request with every message of it said in the group.
fn in_group(mut request: MessageRequest, id: GroupId) -> MessageRequest {
    if let Some(content) = request.input.take() {
        let input = MessageCreate { role: Some("user".into()), content: Some(content), ..MessageCreate::default() };
        request.messages.get_or_insert_default().push(input);
    }
    for message in request.messages.iter_mut().flatten() {
        message.group_id = Some(id.to_string());
    }
    request
}

/// A group's run is asked messages, and nothing that is between one agent and its client.
fn check(input: &RunInput) -> Result<(), ApiError> {
    let refuse = |member: &str, text: &str| Err(ApiError::invalid(&["body", member], text, json!(null)));
    if !input.decisions.is_empty() {
        return refuse("messages", "expected messages: tool calls are decided on at the agent that asked");
    }
    if input.messages.is_empty() {
        return refuse("messages", "expected at least one message");
    }
    if !input.client_tools.is_empty() {
        return refuse("client_tools", "expected none: agents that speak in turns have no client");
    }
    Ok(())
}
