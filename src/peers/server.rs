//! Answering another node.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use engram_engine::peer::{PeerFrame, PeerReply, PeerRequest};
use futures::Stream;

use super::{PATH, SECRET};
use crate::http::{ApiError, auth, state::AppState};

/// How often a silent stream gives a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// A request between nodes is small.
const LARGEST: usize = 64 << 20;

/// The route.
pub fn router() -> Router<AppState> {
    Router::new().route(PATH, post(answer))
}

/// Does what another node asks, or says that the conversation lives elsewhere.
async fn answer(State(state): State<AppState>, headers: HeaderMap, request: Request) -> Result<Response, ApiError> {
    let given = headers.get(SECRET).map_or(&b""[..], |value| value.as_bytes());
    if !auth::same(given, state.engine.node().secret.as_bytes()) {
        // As if there were no such route: it is nobody's business but the nodes'.
        return Err(ApiError::new(StatusCode::NOT_FOUND, "Not Found"));
    }
    let body = axum::body::to_bytes(request.into_body(), LARGEST)
        .await
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    let request: PeerRequest =
        serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(error.to_string()))?;
    match request {
        PeerRequest::Follow { owner, run, after } => {
            let events = state.engine.follow_here(owner, run, after);
            Ok(Body::from_stream(frames(events)).into_response())
        }
        PeerRequest::Cancel { owner, run } => {
            let reply = match state.engine.cancel_here(owner, run).await {
                Some(ended) => PeerReply::Cancelled(ended?),
                None => PeerReply::NotHere,
            };
            Ok(Json(reply).into_response())
        }
        PeerRequest::Command { conversation, command } => {
            let reply = PeerReply::from(state.engine.command_here(conversation, command).await);
            Ok(Json(reply).into_response())
        }
        PeerRequest::Activity => Ok(Json(PeerReply::Activity(state.engine.activity())).into_response()),
    }
}

fn frames(events: Option<engram_engine::LocalEvents>) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    async_stream::stream! {
        // At once, so that the other node knows that it was heard.
        yield Ok(Bytes::from_static(b"\n"));
        let Some(mut events) = events else { return yield Ok(line(&PeerFrame::Moved)) };
        loop {
            match tokio::time::timeout(SIGN_OF_LIFE, events.next()).await {
                Ok(Some((number, event))) => yield Ok(line(&PeerFrame::Event(number, event))),
                Ok(None) => break,
                Err(_) if events.is_here() => yield Ok(Bytes::from_static(b"\n")),
                Err(_) => break,
            }
        }
        yield Ok(line(&PeerFrame::Moved));
    }
}

fn line(frame: &PeerFrame) -> Bytes {
    let mut line = serde_json::to_vec(frame).unwrap_or_else(|error| {
        tracing::error!(%error, "an event cannot be sent to another node");
        b"\"moved\"".to_vec()
    });
    line.push(b'\n');
    line.into()
}
