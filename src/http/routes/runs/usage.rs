//! `GET /v1/runs/{run_id}/usage`

use axum::{Json, extract::State};
use engram_domain::RunId;

use super::find;
use crate::http::{ApiError, AppState, PathId, dto::runs::RunUsageDto};

/// Get what a run took, in tokens.
#[utoipa::path(
    get, path = "/v1/runs/{run_id}/usage", tag = "runs", params(("run_id" = String, Path, description = "Id of the run")),
    responses((status = 200, body = RunUsageDto), (status = 404, description = "No such run"))
)]
pub async fn retrieve_run_usage(
    State(state): State<AppState>,
    PathId(id): PathId<RunId>,
) -> Result<Json<RunUsageDto>, ApiError> {
    Ok(Json(RunUsageDto::from(&find(&state, id).await?)))
}
