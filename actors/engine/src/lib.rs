//! Every agent is a live actor.
//!
//! What it does: a conversation that something is sent to becomes an actor ([`agent`]): it claims
//! the conversation, loads what is in context, drives the pure step function of `engram-core`
//! ([`drive`]), runs its effects outside the mailbox ([`effects`]), and drains itself when idle.
//! [`reconcile`] finds runs that nobody drives; a normal start and a recovery are that same code.
//! [`stream`] hands what happens to whoever listens.
//!
//! Invariants: a run is in the database before its submission returns; only the owner of a
//! conversation commits to it, and the database refuses everybody else; nothing is published before
//! it is committed, except the pieces of a message that is still being written; no handler awaits a
//! model or a tool (it does await its own commit, which is what makes it the one writer).
//!
//! To add an effect: a variant in `engram_core::step::Effect`, its execution in [`drive`].

mod agent;
mod api;
mod drive;
mod effects;
mod reconcile;
mod registry;
mod stream;
mod supervisor;

use std::{sync::Arc, time::Duration};

pub use api::{Command, CommandError, CommandOutcome, StreamEvent, SubmitError};
use dashmap::{DashMap, DashSet};
use engram_core::ports::{Clock, EngineStore, Ids, Llm, NewRun, StoreError, ToolExecutor};
pub use engram_core::step::{RunEnd, RunError};
use engram_domain::{ConversationId, NodeId, Run, RunId, RunStatus, StopReason};
use ractor::ActorRef;
use registry::Registry;
use stream::Hub;
pub use stream::RunStream;
use tokio::sync::{Notify, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The outside world, as the engine needs it.
pub struct Ports {
    /// The database.
    pub store: Arc<dyn EngineStore>,
    /// The models.
    pub llm: Arc<dyn Llm>,
    /// The tools.
    pub tools: Arc<dyn ToolExecutor>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn Ids>,
}

/// How the engine behaves.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// This incarnation of this process.
    pub node: NodeId,
    /// Where other nodes reach it.
    pub url: String,
    /// How long an agent stays live with nothing to do.
    pub idle_after: Duration,
    /// How often runs that nobody drives are looked for.
    pub reconcile_every: Duration,
    /// How often this node says that it lives.
    pub heartbeat_every: Duration,
}

impl EngineSettings {
    /// Sensible times for a server.
    pub fn new(node: NodeId, url: String) -> Self {
        Self {
            node,
            url,
            idle_after: Duration::from_mins(5),
            reconcile_every: Duration::from_secs(2),
            heartbeat_every: Duration::from_secs(3),
        }
    }
}

/// A handle on the engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) ports: Ports,
    pub(crate) settings: EngineSettings,
    pub(crate) hub: Arc<Hub>,
    pub(crate) registry: Registry,
    pub(crate) supervisor: ActorRef<supervisor::Msg>,
    /// Conversations of this node whose actor died with work to do: nobody else will take them, so the
    /// reconciler does.
    pub(crate) orphans: DashSet<ConversationId>,
    /// The run that each live conversation is driving, for whoever finds its actor dead.
    pub(crate) driving: DashMap<ConversationId, RunId>,
    /// How often a run's actor died of it. A run that always does is given up.
    pub(crate) deaths: DashMap<RunId, i32>,
    /// Wakes the reconciler before its time.
    pub(crate) nudge: Notify,
    /// Fires when nothing new is begun.
    pub(crate) closing: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Engine {
    /// Starts the engine: its supervisor, its heartbeat, its reconciler.
    pub async fn start(ports: Ports, settings: EngineSettings) -> Result<Self, StoreError> {
        ports.store.heartbeat(settings.node, &settings.url).await?;
        let supervisor = supervisor::spawn()
            .await
            .map_err(|e| StoreError::Unavailable(format!("the supervisor did not start: {e}")))?;
        let inner = Arc::new(Inner {
            ports,
            settings,
            hub: Arc::default(),
            registry: Registry::default(),
            orphans: DashSet::new(),
            driving: DashMap::new(),
            deaths: DashMap::new(),
            supervisor,
            nudge: Notify::new(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        reconcile::spawn(&inner);
        Ok(Self(inner))
    }

    /// Accepts a run. When this returns, the run is in the database and will reach a terminal state,
    /// whatever happens to this process. The stream has all its events.
    pub async fn submit(&self, run: NewRun) -> Result<RunStream, SubmitError> {
        if self.0.closing.is_cancelled() {
            return Err(SubmitError::ShuttingDown);
        }
        let id = run.id;
        let stream = self.0.hub.open(id, 0);
        let inner = self.0.clone();
        // A task of its own: a client that goes away in the middle drops this future, and a run that is
        // stored must have its pointer sent.
        let stored = self.0.tasks.spawn(async move {
            let result = inner.ports.store.insert_run(&run).await;
            match result {
                Ok(Some(rev)) => {
                    let conversation = run.conversation_id;
                    let pointer = agent::Msg::Run { run: Box::new(accepted(run)), rev };
                    registry::send(&inner, conversation, pointer);
                    Ok(())
                }
                Ok(None) => Err(SubmitError::NotFound),
                Err(error) => Err(error.into()),
            }
        });
        let result = stored.await.unwrap_or_else(|e| Err(StoreError::Database(e.to_string()).into()));
        if result.is_err() {
            self.0.hub.discard(id);
        }
        result.map(|()| stream)
    }

    /// Listens to a run from the event after `starting_after`. None when the run is not known here
    /// any more: what it did can be read from the database.
    pub fn subscribe(&self, run: RunId, starting_after: i64) -> Option<RunStream> {
        self.0.hub.subscribe(run, starting_after)
    }

    /// Ends a run. True when this call ended it, false when it was over.
    pub async fn cancel(&self, conversation: ConversationId, run: RunId) -> Result<bool, StoreError> {
        let (reply, answer) = oneshot::channel();
        // To one that is waking too: it may have the run's pointer in its hands already.
        if registry::send_if_here(&self.0, conversation, agent::Msg::Cancel { run, reply })
            && let Ok(answer) = answer.await
        {
            return answer;
        }
        effects::end_unowned(&self.0, run, StopReason::Cancelled, None).await
    }

    /// Has the conversation's actor do something when it is idle.
    pub async fn command(
        &self,
        conversation: ConversationId,
        command: Command,
    ) -> Result<CommandOutcome, CommandError> {
        if self.0.closing.is_cancelled() {
            return Err(CommandError::Unavailable("the server is shutting down".into()));
        }
        let (reply, answer) = oneshot::channel();
        registry::send(&self.0, conversation, agent::Msg::Command { command, reply });
        answer.await.unwrap_or_else(|_| Err(CommandError::Unavailable("the agent was interrupted; try again".into())))
    }

    /// Agents that are live on this node.
    pub fn live(&self) -> usize {
        self.0.registry.len()
    }

    /// Begins nothing new, lets what is on come to its end, gives all conversations back. Callers
    /// bound the time: what is not over then is picked up by the next start.
    pub async fn shutdown(&self) {
        self.0.closing.cancel();
        self.0.registry.close();
        while self.0.registry.len() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.0.supervisor.stop(None);
        self.0.tasks.close();
        self.0.tasks.wait().await;
        if let Err(error) = self.0.ports.store.retire(self.0.settings.node).await {
            tracing::warn!(%error, "could not sign off; conversations are free once the lease runs out");
        }
    }
}

/// The run as it was just stored.
fn accepted(run: NewRun) -> Run {
    Run {
        id: run.id,
        agent_id: run.agent_id,
        conversation_id: run.conversation_id,
        status: RunStatus::Created,
        stop_reason: None,
        input: run.input,
        background: run.background,
        run_type: run.run_type,
        metadata: run.metadata,
        callback_url: run.callback_url,
        error: None,
        attempts: 0,
        step_count: 0,
        usage: engram_domain::Usage::default(),
        ttft_ns: None,
        created_at: run.created_at,
        updated_at: run.created_at,
        completed_at: None,
    }
}
