//! One chat request, from body to reply.

use std::borrow::Cow;

use bytes::Bytes;
use engram_core::ports::{ChatReply, ChatRequest, DeltaSink, LlmErrorKind};
use engram_domain::Json;
use reqwest::{Response, header::CONTENT_TYPE};
use tokio::time::timeout;

use super::{answer::Answer, halves, reply::Chunk, stream};
use crate::{
    endpoint::Endpoint,
    http::{Decoder, Failure, body},
};

/// Sends a body and reads the whole answer.
pub(super) async fn attempt(
    endpoint: &Endpoint,
    request: &ChatRequest,
    body: Bytes,
    sink: Option<&DeltaSink>,
) -> Result<ChatReply, Failure> {
    let mut answer = Answer::new(endpoint.name(), request, sink);
    let response = endpoint.send(endpoint.post(endpoint.url("chat/completions"), body)).await?;
    let read = read(endpoint, response, request.stream, &mut answer).await;
    let passed = answer.passed();
    read.and_then(|raw| {
        answer.finish(raw).map_err(|why| {
            let message = format!("the answer of {} has {why}", endpoint.name());
            Failure::last(LlmErrorKind::InvalidResponse, message)
        })
    })
    .map_err(|failure| if passed { failure.for_good() } else { failure })
}

/// Reads an answer of either form, whichever was asked for: some servers only have one. Returns the
/// server's own words if they came in one piece.
async fn read(
    endpoint: &Endpoint,
    mut response: Response,
    streamed: bool,
    answer: &mut Answer<'_>,
) -> Result<Option<Json>, Failure> {
    let status = response.status();
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
    // A few servers forget to say that it is a stream.
    let untold = streamed && (content_type.is_empty() || content_type.starts_with("text/plain"));
    let announced = untold || content_type.starts_with("text/event-stream");
    let begun = begin(endpoint, &mut response, announced).await?;
    if is_stream(&begun, announced) {
        stream::read(endpoint, begun, response, answer).await?;
        if answer.is_blank() {
            return Err(Failure::broke_off(endpoint, None));
        }
        return Ok(None);
    }
    let body = body::rest(endpoint, begun, response).await?;
    let unreadable = |why: &str| Failure::unreadable(endpoint, status, &content_type, &body, why);
    let text = Decoder::default().text(&body);
    let marked = halves::mark(&text);
    let chunk: Chunk = serde_json::from_str(&marked).map_err(|e| unreadable(&e.to_string()))?;
    if let Some(error) = chunk.error() {
        return Err(Failure::in_answer(endpoint, error));
    }
    answer.push(chunk, matches!(marked, Cow::Owned(_)));
    let mut raw: Json = serde_json::from_str(&halves::mend(&text)).map_err(|e| unreadable(&e.to_string()))?;
    // Log probabilities can be a hundred times as long as the answer; the trace does not need them.
    for choice in raw.get_mut("choices").and_then(Json::as_array_mut).into_iter().flatten() {
        if let Some(choice) = choice.as_object_mut() {
            choice.remove("logprobs");
        }
    }
    Ok(Some(raw))
}

/// The beginning of a body. A stream that was announced must begin in time; how long a whole answer takes is up to the
/// caller.
async fn begin(endpoint: &Endpoint, response: &mut Response, announced: bool) -> Result<Bytes, Failure> {
    let begin = body::begin(endpoint, response);
    if !announced {
        return begin.await;
    }
    let idle = endpoint.limits.idle;
    timeout(idle, begin).await.unwrap_or_else(|_| Err(Failure::timeout(endpoint, "sent nothing of its answer", idle)))
}

/// Whether a body is a stream of events. Its first byte is stronger than its type, which proxies get wrong in both
/// directions.
fn is_stream(begun: &[u8], announced: bool) -> bool {
    let text = begun.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(begun).trim_ascii_start();
    match text.first() {
        Some(b'{' | b'[' | b'<') => false,
        _ => announced || ["data:", "event:", "id:", "retry:", ":"].iter().any(|s| text.starts_with(s.as_bytes())),
    }
}
