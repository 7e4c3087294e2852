//! `POST /v1/groups/{group_id}/messages` and `…/messages/stream`

use axum::{Json, response::IntoResponse, response::Response};
use engram_core::ports::GroupRun;
use engram_domain::{Group, GroupId, RunId};
use engram_engine::{RunStream, SubmitError, groups::speaks_in_turns};
use serde_json::json;

use crate::app::{App, groups::find, runs::Target};
use crate::http::{
    ApiError, ApiJson, Caller, IdempotencyKey, PathId,
    dto::messages::{LettaResponse, MessageRequest, request::MessageCreate},
    sse::{self, Converter},
    turn::{answer, answer_streaming, collect, life},
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
    if speaks_in_turns(&group) {
        let stream = play(app, &group, &request, key).await?;
        if streaming {
            let converter = Converter::new(stream.run_id(), caller, request.options());
            return Ok(sse::respond(app, stream, converter, life(request.include_pings, caller)));
        }
        return collect(stream, &request.options(), caller).await.map(|response| Json(response).into_response());
    }
    let Some(manager) = group.manager.manager_agent_id() else {
        return Err(ApiError::internal("a group has neither turns nor a manager"));
    };
    let target = Target::default_of(manager);
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

async fn play(app: &App, group: &Group, request: &MessageRequest, key: &IdempotencyKey) -> Result<RunStream, ApiError> {
    let input = request.run_input()?;
    let refuse = |member: &str, text: &str| ApiError::invalid(&["body", member], text, json!(null));
    if !input.decisions.is_empty() {
        return Err(refuse("messages", "expected messages: tool calls are decided on at the agent that asked"));
    }
    if input.messages.is_empty() {
        return Err(refuse("messages", "expected at least one message"));
    }
    if !input.client_tools.is_empty() {
        return Err(refuse("client_tools", "expected none: agents that speak in turns have no client"));
    }
    let run = GroupRun {
        id: RunId(app.ids.uuid()),
        group_id: group.id,
        input,
        // The header before the messages' own names: it speaks for the whole request.
        key: request.keys(key.0.as_deref()).into_iter().next(),
        created_at: app.clock.now(),
    };
    app.engine.submit_to_group(run, app.settings.limits.queue).await.map_err(|error| match error {
        SubmitError::NotFound => ApiError::not_found("Group", group.id),
        other => other.into(),
    })
}
