//! `DELETE /v1/runs/{run_id}`

use axum::Json;
use engram_domain::RunId;

use crate::app::{App, runs};
use crate::http::{
    ApiError, PathId,
    dto::{owned::OwnedBy, runs::RunDto},
};

/// Delete a run and its steps; one that still runs is cancelled first. Its messages stay.
#[utoipa::path(
    delete, path = "/v1/runs/{run_id}", tag = "runs", params(("run_id" = String, Path, description = "Id of the run")),
    responses((status = 200, body = RunDto), (status = 404, description = "No such run"))
)]
pub async fn delete_run(app: App, PathId(id): PathId<RunId>) -> Result<Json<RunDto>, ApiError> {
    Ok(Json(RunDto::new(&runs::delete(&app, id).await?, OwnedBy::of(&app))))
}
