//! `GET /v1/runs/{run_id}/steps`

use axum::Json;
use engram_domain::RunId;

use crate::app::{App, runs};
use crate::http::{
    ApiError, ApiQuery, PageQuery, PathId,
    dto::{owned::OwnedBy, steps::StepDto},
};

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
    runs::find(&app, id).await?;
    let page = query.page(100, false)?;
    let by = OwnedBy::of(&app);
    Ok(Json(runs::steps(&app, id, page).await?.iter().map(|step| StepDto::new(step, by)).collect()))
}
