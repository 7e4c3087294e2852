//! `POST /v1/groups/{group_id}/messages` and `…/messages/stream`

use axum::response::Response;
use engram_domain::GroupId;

use crate::app::{App, groups::messages};
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
    let request = in_group(request, id);
    let target = messages::target(app, id, &request.run_input()?).await?;
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
