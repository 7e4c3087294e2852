//! `GET /v1/runs/{run_id}/metrics`

use axum::Json;
use engram_domain::RunId;

use crate::app::{App, runs::find};
use crate::http::{
    ApiError, PathId,
    dto::{owned::OwnedBy, runs::RunMetricsDto},
};

/// Gets the times of a run.
#[utoipa::path(
    get, path = "/v1/runs/{run_id}/metrics", tag = "runs", params(("run_id" = String, Path, description = "Id of the run")),
    responses((status = 200, body = RunMetricsDto), (status = 404, description = "No such run"))
)]
pub async fn retrieve_run_metrics(app: App, PathId(id): PathId<RunId>) -> Result<Json<RunMetricsDto>, ApiError> {
    let run = find(&app, id).await?;
    Ok(Json(RunMetricsDto {
        id: run.id.to_string(),
        organization_id: OwnedBy::of(&app).organization(),
        agent_id: run.agent_id.map(|agent| agent.to_string()),
        project_id: None,
        run_start_ns: run.created_at.timestamp_nanos_opt(),
        run_ns: run.completed_at.and_then(|end| (end - run.created_at).num_nanoseconds()),
        num_steps: run.step_count,
        tools_used: None,
        template_id: None,
        base_template_id: None,
    }))
}
