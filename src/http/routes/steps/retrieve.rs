//! `GET /v1/steps/{step_id}`, `GET /v1/steps/{step_id}/metrics`

use axum::Json;
use engram_domain::StepId;

use crate::app::{App, steps::find};
use crate::http::{
    ApiError, PathId,
    dto::{
        owned::OwnedBy,
        steps::{StepDto, StepMetricsDto},
    },
};

/// Get a step.
#[utoipa::path(
    get, path = "/v1/steps/{step_id}", tag = "steps", params(("step_id" = String, Path, description = "Id of the step")),
    responses((status = 200, body = StepDto), (status = 404, description = "No such step"))
)]
pub async fn retrieve_step(app: App, PathId(id): PathId<StepId>) -> Result<Json<StepDto>, ApiError> {
    Ok(Json(StepDto::new(&find(&app, id).await?, OwnedBy::of(&app))))
}

/// Gets the times of a step.
#[utoipa::path(
    get, path = "/v1/steps/{step_id}/metrics", tag = "steps",
    params(("step_id" = String, Path, description = "Id of the step")),
    responses((status = 200, body = StepMetricsDto), (status = 404, description = "No such step"))
)]
pub async fn retrieve_step_metrics(app: App, PathId(id): PathId<StepId>) -> Result<Json<StepMetricsDto>, ApiError> {
    Ok(Json(StepMetricsDto::new(&find(&app, id).await?, OwnedBy::of(&app))))
}
