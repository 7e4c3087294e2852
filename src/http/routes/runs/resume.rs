//! `POST /v1/runs/{run_id}/stream`

use std::{collections::HashSet, sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use engram_domain::{Message, Run, RunId, RunStatus, StopReason};
use engram_engine::{RunEnd, RunError, StreamEvent};
use engram_store::Page;
use serde::Deserialize;
use utoipa::ToSchema;

use super::find;
use crate::http::{
    ApiError, AppState, Caller, OptionalJson, PathId,
    dto::messages::Options,
    pagination::MAX_LIMIT,
    routes::messages::turn::{life, page_error},
    sse::{self, Converter, Source},
};

/// How often, and how long after each other, an open run that nobody drives yet is looked for: after a
/// restart it takes the reconciler a moment to pick it up.
const LOOKS: (u32, Duration) = (50, Duration::from_millis(200));

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
    State(state): State<AppState>,
    PathId(id): PathId<RunId>,
    caller: Caller,
    OptionalJson(request): OptionalJson<ResumeRequest>,
) -> Result<Response, ApiError> {
    resume(&state, id, caller, &request).await
}

/// The stream of a run, as it was for whoever started it.
pub async fn resume(
    state: &AppState,
    id: RunId,
    caller: Caller,
    request: &ResumeRequest,
) -> Result<Response, ApiError> {
    let starting_after = request.starting_after.unwrap_or_default().max(0);
    let (run, source, whole) = source(state, id).await?;
    let mut converter = Converter::new(id, caller, Options::of_run(&run.input.request_config)).numbered(starting_after);
    if !whole && run.input.stream_tokens {
        // The pieces are gone, and with them their numbers: whole messages follow what was seen.
        converter = converter.counting_from(starting_after);
    }
    Ok(sse::respond(state, id, source, converter, life(request.include_pings, caller)))
}

/// Where the run's events come from, and whether they are all the events that there ever were.
async fn source(state: &AppState, id: RunId) -> Result<(Run, Source, bool), ApiError> {
    for look in 0..LOOKS.0 {
        // Subscribed before the run is read: an end in between is then in the stream.
        let live = state.engine.subscribe(id, 0);
        let run = find(state, id).await?;
        match live {
            // Begun once and still in memory: the engine has every event.
            Some(stream) if run.attempts <= 1 => return Ok((run, Source::Live(stream), true)),
            Some(stream) => {
                let stored = stored_messages(state, id).await?;
                let seen: HashSet<_> = stored.iter().map(|m| m.id).collect();
                let events = stored.into_iter().map(StreamEvent::Message).collect();
                return Ok((run, Source::Continued { stored: events, seen, live: stream }, false));
            }
            None if run.status.is_terminal() => {
                let messages = stored_messages(state, id).await?;
                let end = StreamEvent::Ended(Box::new(end_of(&run)));
                let events = messages.into_iter().map(StreamEvent::Message).chain([end]).collect();
                return Ok((run, Source::Stored(events), false));
            }
            None if look + 1 < LOOKS.0 => tokio::time::sleep(LOOKS.1).await,
            None => {}
        }
    }
    Err(ApiError::unavailable("The run is not being worked on yet. Try again."))
}

async fn stored_messages(state: &AppState, id: RunId) -> Result<Vec<Arc<Message>>, ApiError> {
    let messages = state.store.run_messages(id, Page::oldest(MAX_LIMIT)).await.map_err(page_error)?;
    Ok(messages.unwrap_or_default().into_iter().map(Arc::new).collect())
}

/// The end of a run as it was told, from what is stored of it.
fn end_of(run: &Run) -> RunEnd {
    let stop_reason = run.stop_reason.unwrap_or(StopReason::Error);
    let kind = if stop_reason == StopReason::LlmApiError { "llm_error" } else { "internal_error" };
    let error = run
        .error
        .as_ref()
        .filter(|_| run.status == RunStatus::Failed)
        .map(|message| RunError::new(kind, message.clone()));
    RunEnd {
        run_id: run.id,
        agent_id: run.agent_id,
        status: run.status,
        stop_reason,
        usage: run.usage,
        step_count: run.step_count,
        context_tokens: 0,
        error,
    }
}
