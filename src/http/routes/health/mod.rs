//! Endpoints that a load balancer asks.

pub mod ready;

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;

/// That the server lives.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Health {
    /// Version of the server.
    version: &'static str,
    /// `ok`.
    status: &'static str,
    /// Agents that are live in memory.
    live: usize,
}

fn answer(app: &App) -> Json<Health> {
    Json(Health { version: env!("CARGO_PKG_VERSION"), status: "ok", live: app.engine.live() })
}

/// Whether the process answers. Uses neither the database nor an agent, so it answers under any load.
#[utoipa::path(get, path = "/v1/health", tag = "health", responses((status = 200, body = Health)))]
pub async fn health(app: App) -> Json<Health> {
    answer(&app)
}
