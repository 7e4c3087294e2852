//! One log line, one span and some numbers for every request, and the server's own time as a header.
//!
//! Invariant: no body, no query, no header is told; ids in the path are replaced by the route, so what is told of a
//! path takes a bounded number of values.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderValue, Method},
    middleware::Next,
    response::Response,
};
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use tracing::{Instrument as _, field::Empty, info_span};

/// Milliseconds from the first byte of the request to the head of the answer, two decimals.
const SERVER_MS: &str = "x-engram-server-ms";

const REQUESTS: &str = "engram_http_requests_total";
const SECONDS: &str = "engram_http_request_seconds";

/// Tells the recorder what the HTTP side's metrics mean.
pub fn describe() {
    describe_counter!(REQUESTS, "Requests by route, method and status");
    describe_histogram!(SECONDS, Unit::Seconds, "Time to the head of the answer; a stream goes on after it");
}

/// Times a request. Outermost of the layers that know the route.
pub async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = known(request.method());
    let route: Arc<str> = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).into();
    // The engine writes the run into it (`metrics::about_run`).
    let span = info_span!(
        parent: None, "http", otel.kind = "server", method, route = &*route, status = Empty, run_id = Empty
    );
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = started.elapsed();
    let ms = took.as_secs_f64() * 1_000.0;
    let status = response.status();
    span.record("status", status.as_u16());
    histogram!(SECONDS, "route" => route.clone(), "method" => method).record(took);
    counter!(REQUESTS, "route" => route.clone(), "method" => method, "status" => status.as_str().to_owned())
        .increment(1);
    if status.is_server_error() && status != axum::http::StatusCode::NOT_IMPLEMENTED {
        tracing::warn!(
            method,
            route = &*route,
            status = status.as_u16(),
            ms = format_args!("{ms:.2}"),
            "request failed"
        );
    } else {
        tracing::info!(method, route = &*route, status = status.as_u16(), ms = format_args!("{ms:.2}"), "request");
    }
    if let Ok(value) = HeaderValue::try_from(format!("{ms:.2}")) {
        response.headers_mut().insert(SERVER_MS, value);
    }
    response
}

/// Anybody may make up a method.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
