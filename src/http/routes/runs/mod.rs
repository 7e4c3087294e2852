//! Endpoints of runs: what became of a request to an agent.

mod delete;
mod list;
mod messages;
mod metrics;
mod resume;
mod retrieve;
mod steps;
mod trace;
mod usage;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::state::AppState;

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_runs))
        .routes(routes!(list::list_active_runs))
        .routes(routes!(retrieve::retrieve_run, delete::delete_run))
        .routes(routes!(messages::list_run_messages))
        .routes(routes!(steps::list_run_steps))
        .routes(routes!(usage::retrieve_run_usage))
        .routes(routes!(metrics::retrieve_run_metrics))
        .routes(routes!(trace::retrieve_run_trace))
        .routes(routes!(resume::resume_run))
}
