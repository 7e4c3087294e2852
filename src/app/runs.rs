//! Runs: what agents are asked to do.

use engram_core::ports::NewRun;
use engram_domain::{AgentId, BusyPolicy, ConversationId, RequestKey, Run, RunId, RunInput, RunType};
use engram_engine::{RunStream, SubmitError};
use serde_json::json;

use crate::app::{App, Error, Result};

/// Whom a run is for.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The agent.
    pub agent_id: AgentId,
    /// Its conversation.
    pub conversation_id: ConversationId,
}

impl Target {
    /// The agent's own history.
    pub fn default_of(agent_id: AgentId) -> Self {
        Self { agent_id, conversation_id: agent_id.default_conversation() }
    }
}

/// A run to be accepted.
#[derive(Debug, Clone)]
pub struct RunSpec {
    /// What is asked of the agent.
    pub input: RunInput,
    /// What begins it.
    pub run_type: RunType,
    /// Whether nobody waits.
    pub background: bool,
    /// The same key is the same run.
    pub keys: Vec<RequestKey>,
    /// Where to report its end.
    pub callback_url: Option<String>,
    /// What becomes of it while the agent is busy; what the agent's own policy says when absent.
    pub busy_policy: Option<BusyPolicy>,
}

/// A run that is about to be submitted.
pub fn new_run(app: &App, target: Target, spec: RunSpec) -> NewRun {
    // A decision on pending calls is what everything else waits for: it is no new message, and no queue is too full for
    // it.
    let decides = (!spec.input.decisions.is_empty()).then_some(BusyPolicy::Queue);
    let max_queue = if decides.is_some() { i64::MAX } else { app.settings.limits.queue };
    NewRun {
        id: RunId(app.ids.uuid()),
        agent_id: target.agent_id,
        conversation_id: target.conversation_id,
        input: spec.input,
        background: spec.background,
        run_type: spec.run_type,
        metadata: json!({}),
        callback_url: spec.callback_url,
        keys: spec.keys,
        busy_policy: spec.busy_policy.or(decides),
        max_queue,
        created_at: app.clock.now(),
        scope: app.scope,
    }
}

/// Has a run accepted. The stream is that of an earlier run when one was accepted under the same key. The error says
/// which agent or conversation there is not.
pub async fn submit(app: &App, run: NewRun) -> Result<RunStream> {
    let (agent, conversation) = (run.agent_id, run.conversation_id);
    app.engine.submit(run).await.map_err(|error| match error {
        SubmitError::NotFound if conversation == agent.default_conversation() => Error::not_found("Agent", agent),
        SubmitError::NotFound => Error::not_found("Conversation", conversation),
        other => other.into(),
    })
}

/// The run, which must exist.
pub async fn find(app: &App, id: RunId) -> Result<Run> {
    app.store.run(id).await?.ok_or_else(|| Error::not_found("Run", id))
}
