//! Runs: what agents are asked to do.

use engram_core::ports::NewRun;
use engram_domain::{
    AgentId, BusyPolicy, ConversationId, GroupId, Message, RequestKey, Run, RunId, RunInput, RunOwner, RunType, Step,
};
use engram_engine::{RunStream, SubmitError};
use engram_store::{Page, steps::StepFilter};
use serde_json::json;

use crate::app::{
    App, Error, Result,
    order::{by_time, in_order},
};

/// Whom a run is for.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// An agent, in one of its conversations.
    Conversation(AgentId, ConversationId),
    /// The agents of a group.
    Group(GroupId),
}

impl Target {
    /// The agent's own history.
    pub fn default_of(agent: AgentId) -> Self {
        Self::Conversation(agent, agent.default_conversation())
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
    /// What becomes of it while the agent or group is busy; what the agent's own policy says when absent.
    pub busy_policy: Option<BusyPolicy>,
}

/// A run that is about to be submitted.
pub fn new_run(app: &App, target: Target, spec: RunSpec) -> NewRun {
    // A decision on pending calls is what everything else waits for: it is no new message, and no queue is too full for
    // it.
    let decides = (!spec.input.decisions.is_empty()).then_some(BusyPolicy::Queue);
    let max_queue = if decides.is_some() { i64::MAX } else { app.settings.limits.queue };
    let (agent_id, owner) = match target {
        Target::Conversation(agent, conversation) => (Some(agent), conversation.into()),
        Target::Group(group) => (None, group.into()),
    };
    NewRun {
        id: RunId(app.ids.uuid()),
        agent_id,
        owner,
        parent: None,
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
/// which agent, conversation or group there is not.
pub async fn submit(app: &App, run: NewRun) -> Result<RunStream> {
    let (agent, owner) = (run.agent_id, run.owner);
    app.engine.submit(run).await.map_err(|error| match (error, owner, agent) {
        (SubmitError::NotFound, RunOwner::Group(group), _) => Error::not_found("Group", group),
        (SubmitError::NotFound, RunOwner::Conversation(id), Some(agent)) if id == agent.default_conversation() => {
            Error::not_found("Agent", agent)
        }
        (SubmitError::NotFound, RunOwner::Conversation(id), _) => Error::not_found("Conversation", id),
        (other, ..) => other.into(),
    })
}

/// Deletes a run and its steps, and answers what it was; one that is not over is cancelled first. Its messages stay.
pub async fn delete(app: &App, id: RunId) -> Result<Run> {
    let run = find(app, id).await?;
    if !run.status.is_terminal() {
        app.engine.cancel(run.owner, id).await?;
    }
    if !app.store.delete_run(id).await? {
        return Err(Error::not_found("Run", id));
    }
    Ok(run)
}

/// A page of what was said in a run, in the order that was asked for, with cursors that follow that order.
pub async fn messages(app: &App, id: RunId, page: Page) -> Result<Vec<Message>> {
    Ok(in_order(app.store.run_messages(id, by_time(page)).await?.unwrap_or_default(), page))
}

/// A page of the steps of a run.
pub async fn steps(app: &App, id: RunId, page: Page) -> Result<Vec<Step>> {
    let filter = StepFilter { run_id: Some(id), ..StepFilter::default() };
    Ok(app.store.steps(&filter, page).await?)
}

/// The run, which must exist.
pub async fn find(app: &App, id: RunId) -> Result<Run> {
    app.store.run(id).await?.ok_or_else(|| Error::not_found("Run", id))
}
