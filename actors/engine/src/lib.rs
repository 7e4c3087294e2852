//! Every agent is a live actor.
//!
//! What it does: a conversation that something is sent to becomes an actor ([`agent`]): it claims
//! the conversation, loads what is in context, drives the pure step function of `engram-core`,
//! runs its effects outside the mailbox, and ends when idle. [`calls`] says how long a call of a model or a tool may
//! take, [`limiter`] how many models are called at once.
//! Requests come in through [`submit`], on any node; what lives with another node is asked for there
//! ([`peer`]). [`registry`] knows the actors of this node, [`waking`] starts them. [`follow`] gives the events of a run
//! wherever it is driven; [`stream`] is what happens on this node and
//! [`journal`] what is kept of it. [`duties`] is what a node does again and again: among them the
//! reconciler finds runs that nobody drives, so a normal start and a recovery are the same code.
//!
//! [`held`] sums up what the live agents hold in memory.
//!
//! Invariants: a run is in the database before its submission returns; only the owner of a
//! conversation commits to it, and the database refuses everybody else; nothing is published before
//! it is committed, except the pieces of a message that is still being written; no handler awaits a
//! model or a tool (it does await its own commit, which is what makes it the one writer).
//!
//! To add an effect: a variant in `engram_core::step::Effect`, its execution in `agent/drive.rs`, and in
//! `agent/outside.rs` when it takes time. To add a message to actors: `agent/mailbox.rs`, `agent/actor.rs`. To add a duty: see
//! [`duties`].

mod activity;
mod agent;
mod api;
mod calls;
mod drivers;
mod duties;
mod follow;
pub mod groups;
mod held;
mod journal;
mod labels;
pub mod limiter;
mod messaging;
pub mod metrics;
mod notifications;
mod orphans;
pub mod peer;
mod registry;
mod stream;
mod submit;
mod supervisor;
mod waking;

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use activity::ActivityTable;
pub use activity::{Activity, LiveConversation, NodeActivity};
pub use api::{Command, CommandError, Pending, StreamEvent, SubmitError};
use dashmap::{DashMap, DashSet};
pub use duties::Duty;
use engram_core::ports::{Clock, EngineStore, Ids, Llm, NodeInfo, StoreError, ToolRunner};
pub use engram_core::step::CommandOutcome;
pub use engram_core::step::{RunEnd, RunError};
use engram_domain::{ConversationId, RunId};
pub use follow::RunStream;
use limiter::{LlmLimiter, LlmLimits};
use peer::Peers;
use ractor::ActorRef;
use registry::Registry;
use stream::Hub;
pub use submit::LocalEvents;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The outside world, as the engine needs it.
pub struct Ports {
    /// The database.
    pub store: Arc<dyn EngineStore>,
    /// The models.
    pub llm: Arc<dyn Llm>,
    /// The tools.
    pub tools: Arc<dyn ToolRunner>,
    /// The other nodes.
    pub peers: Arc<dyn Peers>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn Ids>,
}

/// Says whether memory is short.
pub type Pressure = Arc<dyn Fn() -> bool + Send + Sync>;

/// How the engine behaves.
#[derive(Clone)]
pub struct EngineSettings {
    /// This node, as it presents itself to the others.
    pub node: NodeInfo,
    /// How long an agent stays live with nothing to do.
    pub idle_after: Duration,
    /// How long one tool call may take, whoever makes it.
    pub tool_timeout: Duration,
    /// How long one model call may take, with its retries and without its wait for a place.
    pub llm_timeout: Duration,
    /// Model calls at once.
    pub llm_calls: LlmLimits,
    /// Asked every now and then; agents with nothing to do leave memory when it says so.
    pub pressure: Option<Pressure>,
    /// Bytes that live agents may hold together: above it, one that has finished its work leaves memory at once.
    pub held_bytes: usize,
    /// Who calls the node's duties.
    pub ticker: Ticker,
}

/// Who calls a node's duties, its heartbeat aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ticker {
    /// The engine, by the wall clock.
    WallClock,
    /// Nobody but whoever holds the engine, with [`Engine::tick`]: a test, whose clock may stand still.
    Manual,
}

impl EngineSettings {
    /// Sensible times for a server.
    pub fn new(node: NodeInfo) -> Self {
        Self {
            node,
            idle_after: Duration::from_mins(5),
            tool_timeout: Duration::from_mins(3),
            llm_timeout: Duration::from_mins(10),
            llm_calls: LlmLimits::default(),
            pressure: None,
            held_bytes: 1024 * 1024 * 1024,
            ticker: Ticker::WallClock,
        }
    }

    /// How long a tool may wait for the answers of other agents. A part of what the whole call may take: the rest is
    /// for saying who is late.
    pub fn ask_patience(&self) -> Duration {
        self.tool_timeout * 2 / 3
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
    /// What the actors of this node do.
    pub(crate) activity: Arc<ActivityTable>,
    /// What they hold.
    pub(crate) held: held::Held,
    pub(crate) limiter: LlmLimiter,
    pub(crate) supervisor: ActorRef<supervisor::Msg>,
    /// Conversations of this node whose actor died with work to do: nobody else will take them, so the
    /// reconciler does.
    pub(crate) orphans: DashSet<ConversationId>,
    /// The run that each live conversation is driving, for whoever finds its actor dead.
    pub(crate) driving: DashMap<ConversationId, RunId>,
    /// How often a run's actor died of it. A run that always does is given up.
    pub(crate) deaths: DashMap<RunId, i32>,
    /// Runs that were begun here in vain through no fault of their own. That does not count as an attempt.
    pub(crate) forgiven: DashMap<RunId, orphans::Forgiven>,
    /// Which duties are being performed.
    pub(crate) duties: duties::Running,
    /// Calls the reconciler before its time.
    pub(crate) reconcile_soon: Notify,
    /// Agents of this node that wait for answers, and for whose.
    pub(crate) waits: messaging::Waits,
    /// Groups that this node drives.
    pub(crate) groups: groups::Groups,
    /// Fires when nothing new is begun here.
    pub(crate) closing: CancellationToken,
    /// Whether other nodes go on with what this one gives back.
    draining: AtomicBool,
    /// Fires at the very end.
    pub(crate) closed: CancellationToken,
    /// When the last heartbeat happened, on the clock of [`Clock::monotonic_ns`].
    pub(crate) heard_ns: AtomicI64,
    pub(crate) tasks: TaskTracker,
}

impl Inner {
    /// Whether this node gives back what it has, and others go on with it.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl Engine {
    /// Starts the engine: its supervisor, its heartbeat, its other duties.
    pub async fn start(ports: Ports, settings: EngineSettings) -> Result<Self, StoreError> {
        let supervisor = supervisor::spawn()
            .await
            .map_err(|e| StoreError::Unavailable(format!("the supervisor did not start: {e}")))?;
        let inner = Arc::new_cyclic(|inner: &Weak<Inner>| Inner {
            ports,
            limiter: LlmLimiter::new(settings.llm_calls),
            settings,
            hub: Arc::default(),
            registry: Registry::new({
                let inner = inner.clone();
                move |conversation| {
                    if let Some(inner) = inner.upgrade() {
                        waking::spawn(&inner, conversation);
                    }
                }
            }),
            activity: Arc::default(),
            held: held::Held::default(),
            orphans: DashSet::new(),
            driving: DashMap::new(),
            deaths: DashMap::new(),
            forgiven: DashMap::new(),
            supervisor,
            duties: duties::Running::default(),
            reconcile_soon: Notify::new(),
            waits: messaging::Waits::default(),
            groups: groups::Groups::default(),
            closing: CancellationToken::new(),
            draining: AtomicBool::new(false),
            closed: CancellationToken::new(),
            heard_ns: AtomicI64::new(0),
            tasks: TaskTracker::new(),
        });
        duties::heartbeat::first(&inner).await?;
        let _ = inner.supervisor.send_message(supervisor::Msg::Watch(Arc::downgrade(&inner)));
        inner.tasks.spawn(notifications::listen(inner.clone()));
        duties::start(&inner).await?;
        Ok(Self(inner))
    }

    /// This node, as it presents itself to the others.
    pub fn node(&self) -> &NodeInfo {
        &self.0.settings.node
    }

    /// Agents that are live on this node.
    pub fn live(&self) -> usize {
        self.0.registry.len()
    }

    /// Whether this node is on its way out.
    pub fn is_draining(&self) -> bool {
        self.0.closing.is_cancelled()
    }

    /// How long ago this node last told the database that it lives. Other nodes take its conversations when that
    /// is too long.
    pub fn silent_for(&self) -> Duration {
        let ns = self.0.ports.clock.monotonic_ns() - self.0.heard_ns.load(Ordering::Relaxed);
        Duration::from_nanos(u64::try_from(ns).unwrap_or(0))
    }

    /// Begins nothing new and gives all conversations back: at once to other nodes, which go on after the
    /// current step; alone, after the current run. Requests that come in are still taken when others
    /// go on with them. Returns at once, with whether others do.
    pub async fn drain(&self) -> bool {
        let inner = &self.0;
        let others = match inner.ports.store.other_nodes(inner.settings.node.id).await {
            Ok(others) => !others.is_empty(),
            Err(error) => {
                tracing::warn!(%error, "other nodes could not be looked for");
                false
            }
        };
        inner.draining.store(others, Ordering::Relaxed);
        inner.closing.cancel();
        if let Err(error) = duties::heartbeat::beat(inner).await {
            tracing::warn!(%error, "heartbeat failed");
        }
        inner.registry.tell_all(|| agent::Msg::Close { hand_over: others });
        others
    }

    /// Waits until everything that [`Engine::drain`] asked for has happened, and signs off. Callers
    /// bound the time: what is not over then is picked up by another node or the next start.
    pub async fn shutdown(&self) {
        if !self.is_draining() {
            self.drain().await;
        }
        while self.0.registry.len() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.0.closed.cancel();
        self.0.supervisor.stop(None);
        self.0.tasks.close();
        self.0.tasks.wait().await;
        if let Err(error) = self.0.ports.store.retire(self.0.settings.node.id).await {
            tracing::warn!(%error, "could not sign off; conversations are free once the lease runs out");
        }
    }
}
