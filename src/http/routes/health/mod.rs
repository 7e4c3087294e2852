//! Endpoints that a load balancer asks.

mod ready;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::state::AppState;

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(ready::ready))
}

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

fn answer(state: &AppState) -> Json<Health> {
    Json(Health { version: env!("CARGO_PKG_VERSION"), status: "ok", live: state.engine.live() })
}

/// Whether the server lives. Touches neither the database nor an agent, so it answers under any load.
#[utoipa::path(get, path = "/v1/health", tag = "health", responses((status = 200, body = Health)))]
async fn health(State(state): State<AppState>) -> Json<Health> {
    answer(&state)
}
