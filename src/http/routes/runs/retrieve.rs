//! `GET /v1/runs/{run_id}`

use axum::Json;
use engram_domain::RunId;
use engram_store::Page;

use crate::app::{App, runs};
use crate::http::{
    ApiError, Caller, PathId,
    dto::{owned::OwnedBy, runs::RunDto},
    pagination::MAX_LIMIT,
};

/// Get a run. One that ended carries its answer in `metadata.result`.
#[utoipa::path(
    get, path = "/v1/runs/{run_id}", tag = "runs", params(("run_id" = String, Path, description = "Id of the run")),
    responses((status = 200, body = RunDto), (status = 404, description = "No such run"))
)]
pub async fn retrieve_run(app: App, PathId(id): PathId<RunId>, caller: Caller) -> Result<Json<RunDto>, ApiError> {
    let run = runs::find(&app, id).await?;
    let dto = RunDto::new(&run, OwnedBy::of(&app));
    // 1.x clients read the run's messages instead, and poll here.
    if caller.is_v1_sdk || !run.status.is_terminal() {
        return Ok(Json(dto));
    }
    let messages = runs::messages(&app, id, Page::oldest(MAX_LIMIT)).await?;
    Ok(Json(dto.with_result(&run, &messages, caller)))
}
