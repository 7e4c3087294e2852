//! `PATCH /v1/steps/{step_id}/feedback`; `POST` for clients of 1.0.

use axum::Json;
use engram_domain::StepId;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{
    ApiError, OptionalJson, PathId,
    dto::{owned::OwnedBy, steps::StepDto},
};

/// What a person thinks of a step.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct FeedbackRequest {
    /// `positive`, `negative`, or `null` to take it back.
    pub feedback: Option<String>,
    /// Tags that go with it; absent leaves those that are there.
    pub tags: Option<Vec<String>>,
}

async fn set(app: &App, id: StepId, request: &FeedbackRequest) -> Result<Json<StepDto>, ApiError> {
    if let Some(other) = request.feedback.as_deref().filter(|f| !matches!(*f, "positive" | "negative")) {
        return Err(ApiError::invalid(&["body", "feedback"], "expected `positive` or `negative`", json!(other)));
    }
    let step = app.store.set_feedback(id, request.feedback.as_deref(), request.tags.as_deref()).await?;
    step.map(|step| Json(StepDto::new(&step, OwnedBy::of(app)))).ok_or_else(|| ApiError::not_found("Step", id))
}

/// Sets the feedback on a step.
#[utoipa::path(
    patch, path = "/v1/steps/{step_id}/feedback", tag = "steps",
    params(("step_id" = String, Path, description = "Id of the step")), request_body = FeedbackRequest,
    responses((status = 200, body = StepDto), (status = 404, description = "No such step"))
)]
pub async fn modify_feedback(
    app: App,
    PathId(id): PathId<StepId>,
    OptionalJson(request): OptionalJson<FeedbackRequest>,
) -> Result<Json<StepDto>, ApiError> {
    set(&app, id, &request).await
}

/// Sets the feedback on a step (older method).
#[utoipa::path(
    post, path = "/v1/steps/{step_id}/feedback", tag = "steps",
    params(("step_id" = String, Path, description = "Id of the step")), request_body = FeedbackRequest,
    responses((status = 200, body = StepDto), (status = 404, description = "No such step"))
)]
pub async fn add_feedback(
    app: App,
    PathId(id): PathId<StepId>,
    OptionalJson(request): OptionalJson<FeedbackRequest>,
) -> Result<Json<StepDto>, ApiError> {
    set(&app, id, &request).await
}
