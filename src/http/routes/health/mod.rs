//! Endpoints that a load balancer asks. They touch neither the database nor an agent, so they answer
//! under any load.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::state::AppState;

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(ready))
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

/// Whether the server lives.
#[utoipa::path(get, path = "/v1/health", tag = "health", responses((status = 200, body = Health)))]
async fn health(State(state): State<AppState>) -> Json<Health> {
    answer(&state)
}

/// Whether the server takes requests. It listens only after its start is complete, so this is [`health`].
#[utoipa::path(get, path = "/v1/ready", tag = "health", responses((status = 200, body = Health)))]
async fn ready(State(state): State<AppState>) -> Json<Health> {
    answer(&state)
}
