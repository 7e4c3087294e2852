//! Reading a streamed answer.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use engram_core::ports::LlmErrorKind;
use eventsource_stream::{EventStreamError, Eventsource};
use futures::{FutureExt, StreamExt, stream};
use reqwest::Response;

use super::{answer::Answer, reply::Chunk};
use crate::{
    endpoint::Endpoint,
    http::{Failure, body::MAX_BODY},
};

/// Why the bytes of a stream ended early.
enum Broken {
    Transport(reqwest::Error),
    TooLarge,
}

/// Reads events into `answer` until the server says that it is done.
pub(super) async fn read(endpoint: &Endpoint, response: Response, answer: &mut Answer<'_>) -> Result<(), Failure> {
    let mut events = Box::pin(limited(response).eventsource());
    loop {
        let Ok(next) = tokio::time::timeout(endpoint.limits.idle, events.next()).await else {
            if answer.finished() {
                break; // all but the closing words
            }
            return Err(Failure::timeout(endpoint, "sent nothing more of its answer", endpoint.limits.idle));
        };
        match next {
            Some(Ok(event)) if event.data.trim_ascii() == "[DONE]" => {
                keep_connection(events);
                break;
            }
            Some(Ok(event)) => take(endpoint, answer, &event.data)?,
            None | Some(Err(EventStreamError::Transport(Broken::Transport(_)))) if answer.finished() => break,
            None => return Err(Failure::broke_off(endpoint, None)),
            Some(Err(EventStreamError::Transport(Broken::Transport(e)))) => {
                return Err(Failure::broke_off(endpoint, Some(e)));
            }
            Some(Err(EventStreamError::Transport(Broken::TooLarge))) => return Err(Failure::too_large(endpoint)),
            Some(Err(EventStreamError::Utf8(_) | EventStreamError::Parser(_))) => {
                return Err(invalid(endpoint, "that is no event stream"));
            }
        }
    }
    Ok(())
}

fn take(endpoint: &Endpoint, answer: &mut Answer<'_>, data: &str) -> Result<(), Failure> {
    if data.trim_ascii().is_empty() {
        return Ok(());
    }
    let chunk: Chunk = serde_json::from_str(data)
        .map_err(|e| invalid(endpoint, &format!("with an event that cannot be read: {e}")))?;
    if let Some(error) = chunk.error.as_ref().filter(|e| !e.is_null()) {
        return Err(Failure::in_answer(endpoint, error));
    }
    answer.push(chunk);
    Ok(())
}

fn invalid(endpoint: &Endpoint, why: &str) -> Failure {
    Failure::last(LlmErrorKind::InvalidResponse, format!("{} answered with a stream {why}", endpoint.name()))
}

/// The bytes of a body, up to the limit.
fn limited(response: Response) -> impl stream::Stream<Item = Result<Bytes, Broken>> + Send + 'static {
    let mut left = MAX_BODY;
    response.bytes_stream().map(move |chunk| {
        let chunk = chunk.map_err(Broken::Transport)?;
        left = left.checked_sub(chunk.len()).ok_or(Broken::TooLarge)?;
        Ok(chunk)
    })
}

/// Reads what follows the last event, mostly nothing: a connection whose answer was read to its end
/// serves the next request, one that was dropped does not.
fn keep_connection<S>(mut events: S)
where
    S: stream::Stream + Unpin + Send + 'static,
{
    if events.next().now_or_never().is_none() {
        tokio::spawn(async move {
            let rest = pin!(async { while events.next().await.is_some() {} });
            // Too late is not worse than not at all: the connection closes.
            let _ = tokio::time::timeout(Duration::from_secs(1), rest).await;
        });
    }
}
