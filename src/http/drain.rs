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
    http::{HeaderValue, header},
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
    let mut response = next.run(Request::from_parts(parts, Body::new(Lent(body.clone())))).await;
    let rest = mem::take(&mut *body.lock());
    if !rest.is_end_stream() && !drain(rest).await {
        // The connection ends with this answer. A client that is not told sends its next request into the end.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Reads a body to its end, if that is near. Whether it was.
async fn drain(body: Body) -> bool {
    let mut pieces = body.into_data_stream();
    let read = async {
        let mut left = MOST;
        while let Some(piece) = pieces.next().await {
            let rest = piece.ok().and_then(|piece| left.checked_sub(piece.len()));
            let Some(rest) = rest else { return false };
            left = rest;
        }
        true
    };
    // Too slow is as good as too large: the connection closes.
    tokio::time::timeout(PATIENCE, read).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use axum::{Router, http::StatusCode, middleware, routing::post};
    use tower::ServiceExt as _;

    use super::*;

    async fn refused(size: usize) -> Option<HeaderValue> {
        let router = Router::new()
            .route("/", post(|| async { StatusCode::PAYLOAD_TOO_LARGE }))
            .layer(middleware::from_fn(read_rest));
        let pieces = (0..size / 1024).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 1024])));
        let body = Body::from_stream(futures::stream::iter(pieces));
        let request = axum::http::Request::post("/").body(body).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        response.headers().get(header::CONNECTION).cloned()
    }

    #[tokio::test]
    async fn who_sends_too_much_is_told_that_the_connection_ends() {
        assert_eq!(refused(MOST / 2).await, None);
        assert_eq!(refused(MOST * 2).await, Some(HeaderValue::from_static("close")));
    }
}
