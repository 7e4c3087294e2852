//! `POST /v1/runs/{run_id}/stream`

use axum::response::Response;
use engram_domain::RunId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::find;
use crate::app::App;
use crate::http::{
    ApiError, Caller, OptionalJson, PathId,
    dto::messages::Options,
    routes::messages::turn::life,
    sse::{self, Converter},
};

/// Where to go on.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ResumeRequest {
    /// The last `seq_id` that was seen; everything when absent.
    pub starting_after: Option<i64>,
    /// Whether the stream has signs of life as objects.
    pub include_pings: Option<bool>,
    /// The run, where the path does not say it.
    pub run_id: Option<String>,
    /// The agent, where a conversation does not say it.
    pub agent_id: Option<String>,
}

/// Get the stream of a run again, from a `seq_id` on. Works while it runs and after it ended.
#[utoipa::path(
    post, path = "/v1/runs/{run_id}/stream", tag = "runs", params(("run_id" = String, Path, description = "Id of the run")),
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

/// The stream of a run, as it was for whoever started it.
pub async fn resume(app: &App, id: RunId, caller: Caller, request: &ResumeRequest) -> Result<Response, ApiError> {
    let starting_after = request.starting_after.unwrap_or_default().max(0);
    let run = find(app, id).await?;
    let mut converter = Converter::new(id, caller, Options::of_run(&run.input.request_config)).numbered(starting_after);
    if !run.background && run.input.stream_tokens && run.status.is_terminal() {
        // Its pieces were not kept, and with them their numbers are gone: whole messages follow what was seen.
        converter = converter.counting_from(starting_after);
    }
    Ok(sse::respond(app, app.engine.follow(&run, 0), converter, life(request.include_pings, caller)))
}
