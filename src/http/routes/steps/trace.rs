//! `GET /v1/steps/{step_id}/trace`, and `GET /v1/telemetry/{step_id}`, its older path.

use axum::Json as AxumJson;
use engram_domain::StepId;

use crate::app::{App, steps};
use crate::http::{
    ApiError, PathId,
    dto::{owned::OwnedBy, trace::ProviderTraceDto},
    pagination::MAX_LIMIT,
};

/// Gets the request that was sent to the model and its reply.
#[utoipa::path(
    get, path = "/v1/steps/{step_id}/trace", tag = "steps", params(("step_id" = String, Path, description = "Id of the step")),
    responses((status = 200, body = ProviderTraceDto), (status = 404, description = "No such step"))
)]
pub async fn retrieve_step_trace(app: App, PathId(id): PathId<StepId>) -> Result<AxumJson<ProviderTraceDto>, ApiError> {
    provider_trace(&app, id).await.map(AxumJson)
}

/// Gets the request that was sent to the model in a step, and its reply.
#[utoipa::path(
    get, path = "/v1/telemetry/{step_id}", tag = "telemetry", params(("step_id" = String, Path, description = "Id of the step")),
    responses((status = 200, body = ProviderTraceDto), (status = 404, description = "No such step"))
)]
pub async fn retrieve_trace(app: App, PathId(id): PathId<StepId>) -> Result<AxumJson<ProviderTraceDto>, ApiError> {
    provider_trace(&app, id).await.map(AxumJson)
}

async fn provider_trace(app: &App, id: StepId) -> Result<ProviderTraceDto, ApiError> {
    let step = steps::find(app, id).await?;
    let messages = steps::request(app, &step, MAX_LIMIT).await?;
    Ok(ProviderTraceDto::new(&step, &messages, OwnedBy::of(app)))
}
