//! `POST /v1/agents/{agent_id}/messages/cancel`

use axum::Json as AxumJson;
use engram_core::ports::Runs;
use engram_domain::{AgentId, Conversation, Json, JsonMap, Message, Run, RunId};
use engram_engine::{Command, CommandError, Pending};
use engram_store::{Page, runs::RunFilter};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{ApiError, OptionalJson, PathId};

/// Runs that one request cancels at most.
const MOST: i64 = 1_000;

/// Which runs.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct CancelRequest {
    /// These; every open run of the agent when absent.
    #[schema(value_type = Option<Vec<String>>)]
    pub run_ids: Option<Vec<RunId>>,
}

/// Cancel runs of an agent. A tool call that waits for approval is denied.
#[utoipa::path(
    post, path = "/v1/agents/{agent_id}/messages/cancel", tag = "agents.messages",
    params(("agent_id" = String, Path, description = "Id of the agent")),
    request_body = Option<CancelRequest>,
    responses(
        (status = 200, body = Object, description = "What became of each run: `cancelled`, or how it had ended"),
        (status = 409, description = "Nothing runs")
    )
)]
pub async fn cancel_agent_runs(
    app: App,
    PathId(agent_id): PathId<AgentId>,
    OptionalJson(request): OptionalJson<CancelRequest>,
) -> Result<AxumJson<Json>, ApiError> {
    if !app.store.agent_exists(agent_id).await? {
        return Err(ApiError::not_found("Agent", agent_id));
    }
    let named = request.run_ids.filter(|ids| !ids.is_empty());
    let runs = match &named {
        Some(ids) => {
            let mut runs = Vec::with_capacity(ids.len());
            for id in ids {
                let run = app.store.run(*id).await?.filter(|run| run.agent_id == agent_id);
                runs.push(run.ok_or_else(|| ApiError::not_found("Run", id))?);
            }
            runs
        }
        None => open_runs(&app, RunFilter { agent_ids: vec![agent_id], active: true, ..RunFilter::default() }).await?,
    };
    let mut results = Results::default();
    results.cancel(&app, runs).await?;
    let waiting = app.store.pending_approvals(agent_id, None).await?;
    let meant = |request: &Message| named.as_ref().is_none_or(|ids| request.run_id.is_some_and(|id| ids.contains(&id)));
    results.deny(&app, waiting.into_iter().filter(meant)).await?;
    results.answer(&format!("agent {agent_id}"))
}

/// Cancels every open run of a conversation, and what waits for approval there.
pub async fn cancel_runs(app: &App, conversation: &Conversation) -> Result<AxumJson<Json>, ApiError> {
    let id = conversation.id;
    let filter = RunFilter { conversation_id: Some(id), active: true, ..RunFilter::default() };
    let mut results = Results::default();
    results.cancel(app, open_runs(app, filter).await?).await?;
    results.deny(app, app.store.pending_approvals(conversation.agent_id, Some(id)).await?).await?;
    results.answer(&format!("conversation {id}"))
}

/// Newest first: were the running one cancelled first, the next in line would begin.
async fn open_runs(app: &App, filter: RunFilter) -> Result<Vec<Run>, ApiError> {
    Ok(app.store.runs(&filter, Page::newest(MOST)).await?)
}

/// What became of each run.
#[derive(Default)]
struct Results {
    statuses: JsonMap,
    /// Whether anything was cancelled.
    any: bool,
}

impl Results {
    async fn cancel(&mut self, app: &App, runs: Vec<Run>) -> Result<(), ApiError> {
        for run in runs {
            let cancelled = !run.status.is_terminal() && app.engine.cancel(run.conversation_id, run.id).await?;
            self.any |= cancelled;
            let status = if cancelled { "cancelled" } else { run.status.as_str() };
            self.statuses.insert(run.id.to_string(), json!(status));
        }
        Ok(())
    }

    /// Denies requests for approval. The run that asked is over; to its caller it is cancelled all the same.
    async fn deny(&mut self, app: &App, requests: impl IntoIterator<Item = Message>) -> Result<(), ApiError> {
        for request in requests {
            let deny = Command::DenyPending(Pending::Request(request.id));
            match app.engine.command(request.conversation_id, deny).await {
                Ok(_) => {
                    self.any = true;
                    if let Some(run) = request.run_id {
                        self.statuses.insert(run.to_string(), json!("cancelled"));
                    }
                }
                // Somebody was faster.
                Err(CommandError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn answer(self, whose: &str) -> Result<AxumJson<Json>, ApiError> {
        if self.any {
            Ok(AxumJson(Json::Object(self.statuses)))
        } else {
            Err(ApiError::conflict(format!("CONFLICT: No active runs to cancel for {whose}")))
        }
    }
}
