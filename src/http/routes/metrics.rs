//! `GET /metrics`: what the process counts, for Prometheus. It counts for all organizations, so it is the operator's.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use engram_engine::metrics;

use crate::{http::Operator, telemetry::prometheus};

/// Metrics in Prometheus's text format.
///
/// They count for all organizations, so they are the operator's: by the password, or an admin key of the default one.
#[utoipa::path(
    get, path = "/metrics", tag = "health", extensions(("x-engram-scope" = json!("admin"))),
    responses((status = 200, description = "Text format, version 0.0.4", content_type = "text/plain", body = String))
)]
pub async fn metrics(Operator(app): Operator) -> Response {
    metrics::live(app.engine.live());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], prometheus::render()).into_response()
}
