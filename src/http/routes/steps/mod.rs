//! Endpoints of steps: one model call each, and what followed from it.

mod feedback;
mod list;
mod messages;
mod retrieve;
mod trace;

use engram_domain::{Step, StepId};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;
use crate::http::{ApiError, state::AppState};

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_steps))
        .routes(routes!(retrieve::retrieve_step))
        .routes(routes!(retrieve::retrieve_step_metrics))
        .routes(routes!(feedback::modify_feedback, feedback::add_feedback))
        .routes(routes!(messages::list_step_messages))
        .routes(routes!(trace::retrieve_step_trace))
        .routes(routes!(trace::retrieve_trace))
}

/// A step that must exist.
pub async fn find(app: &App, id: StepId) -> Result<Step, ApiError> {
    app.store.step(id).await?.ok_or_else(|| ApiError::not_found("Step", id))
}
