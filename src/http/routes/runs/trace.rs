//! `GET /v1/runs/{run_id}/trace`

use axum::Json as AxumJson;
use engram_domain::{Json, Run, RunId, Step};
use engram_store::Page;
use serde_json::json;

use crate::app::{App, runs};
use crate::http::{ApiError, ApiQuery, PageQuery, PathId};

/// Get a run as spans: the run itself, its steps, their model and tool calls. Times are nanoseconds
/// since 1970.
#[utoipa::path(
    get, path = "/v1/runs/{run_id}/trace", tag = "runs",
    params(("run_id" = String, Path, description = "Id of the run"), PageQuery),
    responses((status = 200, body = Vec<Object>), (status = 404, description = "No such run"))
)]
pub async fn retrieve_run_trace(
    app: App,
    PathId(id): PathId<RunId>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<AxumJson<Vec<Json>>, ApiError> {
    let run = runs::find(&app, id).await?;
    let limit = query.limit(1_000)?;
    let steps = runs::steps(&app, id, Page::oldest(limit)).await?;
    let mut spans = vec![root(&run)];
    spans.extend(steps.iter().flat_map(|step| children(&run, step)));
    spans.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(AxumJson(spans))
}

fn root(run: &Run) -> Json {
    let start = run.created_at.timestamp_nanos_opt().unwrap_or_default();
    let duration = run.completed_at.and_then(|end| (end - run.created_at).num_nanoseconds());
    let attributes = json!({ "status": run.status, "stop_reason": run.stop_reason });
    span(run, &run.id, None, run.run_type.as_str(), start, duration, &attributes)
}

fn children(run: &Run, step: &Step) -> Vec<Json> {
    let start = step.created_at.timestamp_nanos_opt().unwrap_or_default();
    let of_step = json!({ "status": step.status, "model": step.model_handle });
    let tokens =
        json!({ "completion_tokens": step.usage.completion_tokens, "prompt_tokens": step.usage.prompt_tokens });
    let mut spans = vec![
        span(run, &step.id, Some(&run.id), "agent_step", start, Some(step.step_ns), &of_step),
        span(run, &format!("{}-llm", step.id), Some(&step.id), "llm_request", start, Some(step.llm_ns), &tokens),
    ];
    if let Some(tools) = step.tool_ns {
        let id = format!("{}-tools", step.id);
        spans.push(span(run, &id, Some(&step.id), "tool_execution", start + step.llm_ns, Some(tools), &json!({})));
    }
    spans
}

fn span(
    run: &Run,
    id: &dyn std::fmt::Display,
    parent: Option<&dyn std::fmt::Display>,
    name: &str,
    start_ns: i64,
    duration_ns: Option<i64>,
    attributes: &Json,
) -> Json {
    json!({
        "trace_id": run.id,
        "span_id": id.to_string(),
        "parent_span_id": parent.map(ToString::to_string),
        "name": name,
        "start_time_ns": start_ns,
        "end_time_ns": duration_ns.map(|d| start_ns + d),
        "duration_ns": duration_ns,
        "attributes": attributes,
    })
}
