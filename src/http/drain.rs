//! Reading what nobody reads. A request that is refused before its body was read would take the
//! connection with it: the rest of the body stands where the next request should begin.

use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    middleware::Next,
    response::Response,
};
use futures::StreamExt;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;

/// A larger body is not worth reading for the sake of its connection.
const MOST: usize = 256 * 1024;
/// Neither is a slow one.
const PATIENCE: Duration = Duration::from_secs(1);

/// A body of which whoever lent it gets back what was not read.
struct Lent(Arc<Mutex<Body>>);

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.0.lock()).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().size_hint()
    }
}

/// Reads what is left of a request's body before its answer leaves.
pub async fn read_rest(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let body = Arc::new(Mutex::new(body));
    let response = next.run(Request::from_parts(parts, Body::new(Lent(body.clone())))).await;
    let rest = mem::take(&mut *body.lock());
    if !rest.is_end_stream() {
        drain(rest).await;
    }
    response
}

/// Reads a body to its end, if that is near.
async fn drain(body: Body) {
    let mut pieces = body.into_data_stream();
    let read = async {
        let mut left = MOST;
        while let Some(Ok(piece)) = pieces.next().await {
            let Some(rest) = left.checked_sub(piece.len()) else { return };
            left = rest;
        }
    };
    // Too slow is as good as too large: the connection closes.
    let _ = tokio::time::timeout(PATIENCE, read).await;
}
