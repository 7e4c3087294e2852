//! `GET /v1/telemetry/{step_id}`: the older path of a step's trace.

use axum::Json;
use engram_domain::StepId;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;
use crate::http::{
    ApiError, AppState, PathId,
    routes::steps::{ProviderTraceDto, provider_trace},
};

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(retrieve_trace))
}

/// Get what went to the model in a step and what came back.
#[utoipa::path(
    get, path = "/v1/telemetry/{step_id}", tag = "telemetry", params(("step_id" = String, Path, description = "Id of the step")),
    responses((status = 200, body = ProviderTraceDto), (status = 404, description = "No such step"))
)]
async fn retrieve_trace(app: App, PathId(id): PathId<StepId>) -> Result<Json<ProviderTraceDto>, ApiError> {
    provider_trace(&app, id).await.map(Json)
}
