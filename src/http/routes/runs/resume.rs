//! `POST /v1/runs/{run_id}/stream`

use axum::response::Response;
use engram_domain::RunId;

use crate::app::App;
use crate::http::{ApiError, Caller, OptionalJson, PathId, dto::runs::ResumeRequest, turn::resume};

/// Get the stream of a run again, from a `seq_id` on. Works while it runs and after it ended.
#[utoipa::path(
    post, path = "/v1/runs/{run_id}/stream", tag = "runs", extensions(("x-engram-scope" = json!("read"))), params(("run_id" = String, Path, description = "Id of the run")),
    request_body = Option<ResumeRequest>,
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 404, description = "No such run"))
)]
pub async fn resume_run(
    app: App,
    PathId(id): PathId<RunId>,
    caller: Caller,
    OptionalJson(request): OptionalJson<ResumeRequest>,
) -> Result<Response, ApiError> {
    resume(&app, id, caller, &request).await
}
