//! Cancelling runs, and what waits for approval.

use engram_domain::{AgentId, Conversation, JsonMap, Message, Run, RunId};
use engram_engine::{Command, CommandError, Pending};
use engram_store::{Page, runs::RunFilter};
use serde_json::json;

use crate::app::{App, Error, Result, agents};

/// Runs that one request cancels at most.
const MOST: i64 = 1_000;

/// Cancels these runs of an agent, or all its open ones, and denies the tool calls of theirs that wait for approval.
/// The answer says what became of each run: `cancelled`, or how it had ended. A conflict when nothing was cancelled.
pub async fn cancel_runs(app: &App, agent: AgentId, named: Option<&[RunId]>) -> Result<JsonMap> {
    agents::require(app, agent).await?;
    let runs = match named {
        Some(ids) => {
            let mut runs = Vec::with_capacity(ids.len());
            for id in ids {
                let run = app.store.run(*id).await?.filter(|run| run.agent_id == Some(agent));
                runs.push(run.ok_or_else(|| Error::not_found("Run", id))?);
            }
            runs
        }
        None => open_runs(app, RunFilter { agent_ids: vec![agent], active: true, ..RunFilter::default() }).await?,
    };
    let mut results = Results::default();
    results.cancel(app, runs).await?;
    let waiting = app.store.pending_approvals(agent, None).await?;
    let meant = |request: &Message| named.is_none_or(|ids| request.run_id.is_some_and(|id| ids.contains(&id)));
    results.deny(app, waiting.into_iter().filter(meant)).await?;
    results.answer(&format!("agent {agent}"))
}

/// Cancels every open run of a conversation, and denies what waits for approval there.
pub async fn cancel_conversation(app: &App, conversation: &Conversation) -> Result<JsonMap> {
    let id = conversation.id;
    let filter = RunFilter { owner: Some(id.into()), active: true, ..RunFilter::default() };
    let mut results = Results::default();
    results.cancel(app, open_runs(app, filter).await?).await?;
    results.deny(app, app.store.pending_approvals(conversation.agent_id, Some(id)).await?).await?;
    results.answer(&format!("conversation {id}"))
}

/// Newest first: were the running one cancelled first, the next in line would begin.
async fn open_runs(app: &App, filter: RunFilter) -> Result<Vec<Run>> {
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
    async fn cancel(&mut self, app: &App, runs: Vec<Run>) -> Result<()> {
        for run in runs {
            let cancelled = !run.status.is_terminal() && app.engine.cancel(run.owner, run.id).await?;
            self.any |= cancelled;
            let status = if cancelled { "cancelled" } else { run.status.as_str() };
            self.statuses.insert(run.id.to_string(), json!(status));
        }
        Ok(())
    }

    /// Denies requests for approval. The run that asked is over; to its caller it is cancelled all the same.
    async fn deny(&mut self, app: &App, requests: impl IntoIterator<Item = Message>) -> Result<()> {
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

    fn answer(self, whose: &str) -> Result<JsonMap> {
        if self.any {
            Ok(self.statuses)
        } else {
            Err(Error::Conflict(format!("CONFLICT: No active runs to cancel for {whose}")))
        }
    }
}
