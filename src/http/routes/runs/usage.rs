//! `GET /v1/runs/{run_id}/usage`

use axum::Json;
use engram_domain::RunId;

use crate::app::{App, runs::find};
use crate::http::{ApiError, PathId, dto::runs::RunUsageDto};

/// Gets the token usage of a run.
#[utoipa::path(
    get, path = "/v1/runs/{run_id}/usage", tag = "runs", params(("run_id" = String, Path, description = "Id of the run")),
    responses((status = 200, body = RunUsageDto), (status = 404, description = "No such run"))
)]
pub async fn retrieve_run_usage(app: App, PathId(id): PathId<RunId>) -> Result<Json<RunUsageDto>, ApiError> {
    Ok(Json(RunUsageDto::from(&find(&app, id).await?)))
}
