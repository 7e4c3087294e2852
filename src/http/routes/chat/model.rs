//! `POST /v1/chat/completions`

use axum::response::Response;

use super::complete::complete;
use crate::app::App;
use crate::http::{
    ApiError, ApiJson, IdempotencyKey,
    dto::chat::{ChatError, ChatRequest, Completion},
};

/// Sends a message to the agent that `model` names, in OpenAI's chat completion format.
///
/// With `stream` the answer comes in chunks (`chat.completion.chunk`) as server-sent events.
#[utoipa::path(
    post, path = "/v1/chat/completions", tag = "chat",
    request_body = ChatRequest,
    responses((status = 200, body = Completion), (status = 404, description = "No such agent"))
)]
pub async fn complete_chat(
    app: App,
    key: Result<IdempotencyKey, ApiError>,
    body: Result<ApiJson<ChatRequest>, ApiError>,
) -> Result<Response, ChatError> {
    let ApiJson(request) = body?;
    let agent = request.agent().ok_or_else(|| ChatError::no_such_model(request.model.as_deref()))?;
    complete(&app, agent, &request, key, request.stream.unwrap_or_default()).await
}
