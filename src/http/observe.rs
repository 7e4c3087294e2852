//! One log line a request, and the server's own time as a header.
//!
//! Invariant: no body, no query, no header is logged; ids in the path are replaced by the route.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::HeaderValue,
    middleware::Next,
    response::Response,
};

/// Milliseconds from the first byte of the request to the head of the answer, two decimals.
const SERVER_MS: &str = "x-engram-server-ms";

/// Times a request. Outermost of the layers that know the route.
pub async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|p| p.as_str().to_owned());
    let mut response = next.run(request).await;
    let ms = started.elapsed().as_secs_f64() * 1_000.0;
    let status = response.status();
    let route = route.as_deref().unwrap_or("-");
    if status.is_server_error() && status != axum::http::StatusCode::NOT_IMPLEMENTED {
        tracing::warn!(%method, route, status = status.as_u16(), ms = format_args!("{ms:.2}"), "request failed");
    } else {
        tracing::info!(%method, route, status = status.as_u16(), ms = format_args!("{ms:.2}"), "request");
    }
    if let Ok(value) = HeaderValue::try_from(format!("{ms:.2}")) {
        response.headers_mut().insert(SERVER_MS, value);
    }
    response
}
