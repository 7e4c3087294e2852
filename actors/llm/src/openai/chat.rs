//! One chat request, from body to reply.

use bytes::Bytes;
use engram_core::ports::{ChatReply, ChatRequest, DeltaSink, LlmErrorKind};
use engram_domain::Json;
use reqwest::{Response, header::CONTENT_TYPE};
use serde::Deserialize;

use super::{answer::Answer, reply::Chunk, stream};
use crate::{
    endpoint::Endpoint,
    http::{Failure, body},
};

/// Sends a body and reads the whole answer.
pub(super) async fn attempt(
    endpoint: &Endpoint,
    request: &ChatRequest,
    body: Bytes,
    sink: Option<&DeltaSink>,
) -> Result<ChatReply, Failure> {
    let mut answer = Answer::new(request, sink);
    let response = endpoint.send(endpoint.post(endpoint.url("chat/completions"), body)).await?;
    let read = read(endpoint, response, request.stream, &mut answer).await;
    let passed = answer.passed();
    read.and_then(|raw| {
        answer.finish(raw).map_err(|why| {
            let message = format!("the answer of {} has {why}", endpoint.name());
            Failure::last(LlmErrorKind::InvalidResponse, message)
        })
    })
    .map_err(|failure| Failure { retry: failure.retry && !passed, ..failure })
}

/// Reads an answer of either form, whichever was asked for: some servers only have one. Returns the
/// server's own words if they came in one piece.
async fn read(
    endpoint: &Endpoint,
    response: Response,
    streamed: bool,
    answer: &mut Answer<'_>,
) -> Result<Option<Json>, Failure> {
    let status = response.status();
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    // A few servers forget to say that it is a stream.
    let untold = streamed && (content_type.is_empty() || content_type.starts_with("text/plain"));
    if untold || content_type.starts_with("text/event-stream") {
        stream::read(endpoint, response, answer).await?;
        if answer.is_blank() {
            return Err(Failure::broke_off(endpoint, None));
        }
        return Ok(None);
    }
    let content_type = content_type.to_ascii_lowercase();
    let body = body::read(endpoint, response).await?;
    let unreadable = |why: &str| Failure::unreadable(endpoint, status, &content_type, &body, why);
    let mut raw: Json = serde_json::from_slice(&body).map_err(|e| unreadable(&e.to_string()))?;
    if let Some(error) = raw.get("error").filter(|e| !e.is_null()) {
        return Err(Failure::in_answer(endpoint, error));
    }
    answer.push(Chunk::deserialize(&raw).map_err(|e| unreadable(&e.to_string()))?);
    // Log probabilities can be a hundred times as long as the answer; the trace does not need them.
    for choice in raw.get_mut("choices").and_then(Json::as_array_mut).into_iter().flatten() {
        if let Some(choice) = choice.as_object_mut() {
            choice.remove("logprobs");
        }
    }
    Ok(Some(raw))
}
