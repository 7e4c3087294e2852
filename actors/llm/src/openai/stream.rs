//! Reading a streamed answer.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use engram_core::ports::LlmErrorKind;
use reqwest::Response;

use super::{answer::Answer, halves, reply::Chunk};
use crate::{
    endpoint::Endpoint,
    http::{Decoder, Failure, body::MAX_BODY, events::EventReader},
};

/// Reads events into `answer` until the server says that it is done. `begun` was read of the body before.
pub(super) async fn read(
    endpoint: &Endpoint,
    begun: Bytes,
    mut response: Response,
    answer: &mut Answer<'_>,
) -> Result<(), Failure> {
    let mut events = EventReader::default();
    let mut decoder = Decoder::default();
    let mut left = MAX_BODY;
    let mut chunk = begun;
    loop {
        left = left.checked_sub(chunk.len()).ok_or_else(|| Failure::too_large(endpoint))?;
        let text = decoder.text(&chunk);
        events.push(text.as_bytes()).map_err(|_| invalid(endpoint, "that is no event stream"))?;
        while let Some(data) = events.next() {
            if data.trim_ascii() == "[DONE]" {
                keep_connection(response);
                return Ok(());
            }
            take(endpoint, answer, &data)?;
        }
        chunk = match tokio::time::timeout(endpoint.limits.idle, response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            // All but the closing words.
            _ if answer.finished() => return Ok(()),
            Ok(Ok(None)) => return Err(Failure::broke_off(endpoint, None)),
            Ok(Err(error)) => return Err(Failure::broke_off(endpoint, Some(error))),
            Err(_) => return Err(Failure::timeout(endpoint, "sent nothing more of its answer", endpoint.limits.idle)),
        };
    }
}

fn take(endpoint: &Endpoint, answer: &mut Answer<'_>, data: &str) -> Result<(), Failure> {
    if data.trim_ascii().is_empty() {
        return Ok(());
    }
    let marked = halves::mark(data);
    let chunk: Chunk = serde_json::from_str(&marked)
        .map_err(|e| invalid(endpoint, &format!("with an event that cannot be read: {e}")))?;
    if let Some(error) = chunk.error() {
        return Err(Failure::in_answer(endpoint, error));
    }
    answer.push(chunk, matches!(marked, Cow::Owned(_)));
    Ok(())
}

fn invalid(endpoint: &Endpoint, why: &str) -> Failure {
    Failure::last(
        LlmErrorKind::InvalidResponse,
        endpoint.quote(&format!("{} answered with a stream {why}", endpoint.name())),
    )
}

/// Reads what follows the last event, mostly nothing: a connection whose answer was read to its end
/// serves the next request, one that was dropped does not.
fn keep_connection(mut response: Response) {
    tokio::spawn(async move {
        let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
        // Too late is not worse than not at all: the connection closes.
        let _ = tokio::time::timeout(Duration::from_secs(1), rest).await;
    });
}
