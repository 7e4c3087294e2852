//! Streams of a run's events as server-sent events.
//!
//! What it does: [`respond`] answers with a run's stream; [`convert`] makes frames of events, [`chat`] chunks of a
//! chat completion; [`tokens`] makes messages of deltas, [`partial_json`] reads arguments that are still being written.
//!
//! Invariants: one frame is one chunk, and whole; a client that goes away changes nothing for its run;
//! something is sent at once and then at least once in a keep-alive interval.

pub mod chat;
pub mod convert;
pub mod frames;
pub mod partial_json;
#[cfg(test)]
mod test_events;
pub mod tokens;

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use engram_engine::{RunStream, StreamEvent};
use futures::{Stream, StreamExt, stream::BoxStream};
use tokio::time::{Instant, interval_at};

use crate::app::App;

pub use convert::Converter;

/// How a stream is kept alive while nothing happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Comments, which every client ignores.
    Comments,
    /// `ping` objects; the first one names the run.
    Pings,
}

/// Makes frames of the events of one run.
pub trait Convert: Send + 'static {
    /// The frames of an event.
    fn event(&mut self, event: StreamEvent) -> Vec<Bytes>;

    /// Whether the stream is over.
    fn is_done(&self) -> bool;
}

/// The answer to a streaming request.
pub fn respond(app: &App, source: RunStream, converter: impl Convert, life: Life) -> Response {
    let run = source.run_id();
    let (clock, ids) = (app.clock.clone(), app.ids.clone());
    let keep_alive = move || match life {
        Life::Comments => Bytes::from_static(frames::COMMENT.as_bytes()),
        Life::Pings => frames::ping(run, clock.now(), ids.uuid()),
    };
    let frames = stream(events(source), converter, keep_alive, app.settings.server.keepalive);
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        // Proxies that buffer would hold frames back.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(frames)).into_response()
}

fn events(mut source: RunStream) -> BoxStream<'static, StreamEvent> {
    async_stream::stream! {
        while let Some((_, event)) = source.next().await {
            yield event;
        }
    }
    .boxed()
}

fn stream(
    mut source: BoxStream<'static, StreamEvent>,
    mut converter: impl Convert,
    keep_alive: impl Fn() -> Bytes + Send + 'static,
    keepalive: Duration,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    async_stream::stream! {
        yield Ok(keep_alive());
        let mut ticks = interval_at(Instant::now() + keepalive, keepalive);
        loop {
            tokio::select! {
                biased;
                event = source.next() => {
                    let Some(event) = event else { break };
                    ticks.reset();
                    for frame in converter.event(event) {
                        yield Ok(frame);
                    }
                }
                _ = ticks.tick() => yield Ok(keep_alive()),
            }
        }
        // The engine ends every stream with its end; should it go away without, the client still
        // gets the mark that it waits for.
        if !converter.is_done() {
            yield Ok(Bytes::from_static(frames::DONE.as_bytes()));
        }
    }
}

#[cfg(test)]
mod tests {
    use engram_domain::RunId;

    use super::*;
    use crate::http::{caller::Caller, dto::messages::Options};

    #[tokio::test]
    async fn a_stream_begins_at_once_and_always_ends() {
        let run = RunId(uuid::Uuid::nil());
        let converter = Converter::new(run, Caller::default(), Options::default());
        let keep_alive = || Bytes::from_static(b": alive\n\n");
        let text = |frames: Vec<Result<Bytes, Infallible>>| {
            frames.into_iter().map(|f| String::from_utf8_lossy(&f.unwrap_or_default()).into_owned()).collect::<String>()
        };
        let ended = stream(futures::stream::empty().boxed(), converter, keep_alive, Duration::from_secs(5));
        assert_eq!(text(ended.collect().await), ": alive\n\ndata: [DONE]\n\n");
    }
}
