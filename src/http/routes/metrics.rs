//! `GET /metrics`: what the process counts, for Prometheus. Wants the password where there is one, unlike health: names
//! of models are nobody else's business.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use engram_engine::metrics;

use crate::app::App;
use crate::telemetry::prometheus;

/// Metrics in Prometheus's text format.
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses((status = 200, description = "Text format, version 0.0.4", content_type = "text/plain", body = String))
)]
pub async fn metrics(app: App) -> Response {
    metrics::live(app.engine.live());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], prometheus::render()).into_response()
}
