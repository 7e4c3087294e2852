//! `GET /v1/runs/{run_id}/steps`

use axum::Json;
use engram_domain::RunId;
use engram_store::steps::StepFilter;

use crate::app::{App, runs::find};
use crate::http::{ApiError, ApiQuery, PageQuery, PathId, dto::steps::StepDto};

/// List the steps of a run, newest first.
#[utoipa::path(
    get, path = "/v1/runs/{run_id}/steps", tag = "runs",
    params(("run_id" = String, Path, description = "Id of the run"), PageQuery),
    responses((status = 200, body = Vec<StepDto>), (status = 404, description = "No such run"))
)]
pub async fn list_run_steps(
    app: App,
    PathId(id): PathId<RunId>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Vec<StepDto>>, ApiError> {
    find(&app, id).await?;
    let page = query.page(100, false)?;
    let filter = StepFilter { run_id: Some(id), ..StepFilter::default() };
    Ok(Json(app.store.steps(&filter, page).await?.iter().map(StepDto::from).collect()))
}
