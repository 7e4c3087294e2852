//! `GET /v1/steps/{step_id}`, `GET /v1/steps/{step_id}/metrics`

use axum::{Json, extract::State};
use engram_domain::StepId;

use super::find;
use crate::http::{
    ApiError, AppState, PathId,
    dto::steps::{StepDto, StepMetricsDto},
};

/// Get a step.
#[utoipa::path(
    get, path = "/v1/steps/{step_id}", tag = "steps", params(("step_id" = String, Path, description = "Id of the step")),
    responses((status = 200, body = StepDto), (status = 404, description = "No such step"))
)]
pub async fn retrieve_step(
    State(state): State<AppState>,
    PathId(id): PathId<StepId>,
) -> Result<Json<StepDto>, ApiError> {
    Ok(Json(StepDto::from(&find(&state, id).await?)))
}

/// Get how long a step took.
#[utoipa::path(
    get, path = "/v1/steps/{step_id}/metrics", tag = "steps",
    params(("step_id" = String, Path, description = "Id of the step")),
    responses((status = 200, body = StepMetricsDto), (status = 404, description = "No such step"))
)]
pub async fn retrieve_step_metrics(
    State(state): State<AppState>,
    PathId(id): PathId<StepId>,
) -> Result<Json<StepMetricsDto>, ApiError> {
    Ok(Json(StepMetricsDto::from(&find(&state, id).await?)))
}
