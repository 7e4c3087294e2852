//! Endpoints of steps: one model call each, and what followed from it.

pub mod feedback;
pub mod list;
pub mod messages;
pub mod retrieve;
pub mod trace;

use engram_domain::{Step, StepId};

use crate::app::App;
use crate::http::ApiError;

/// A step that must exist.
pub async fn find(app: &App, id: StepId) -> Result<Step, ApiError> {
    app.store.step(id).await?.ok_or_else(|| ApiError::not_found("Step", id))
}
