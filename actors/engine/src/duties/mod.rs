//! Recurring work of a node: one duty, one file.
//!
//! What it does: [`Duty`] is the list. The [`ticker`] calls every duty when its time comes; the heartbeat alone has an
//! interval of its own ([`heartbeat::run`]). A test calls [`Engine::tick`].
//!
//! Invariants: what is due is said by the tables and by what this node has in memory, never by a duty or the ticker, so a
//! duty may be performed at any time, on any node, as often as one likes. On a node it is not performed twice at once. One
//! that fails or panics is counted and logged under its name, and no other waits for it.
//!
//! To add a duty: a file here with its `PLAN` and its `perform`; and its line in [`Duty`], [`Duty::ALL`], [`Duty::plan`] and
//! [`Duty::perform`].

mod begun;
mod ended_streams;
mod ephemeral_agents;
pub(crate) mod heartbeat;
mod orphaned_groups;
mod pressure;
mod prune_events;
mod reconcile;
mod schedules;
mod sleep_time;
mod ticker;
mod voice_sleep_time;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use engram_core::ports::StoreError;
use futures::FutureExt;
use tokio::sync::{Mutex, MutexGuard};

use crate::{Engine, Inner, Ticker, metrics};

/// Something that a node does again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Duty {
    /// Tells the database that this node lives.
    Heartbeat,
    /// Finds runs that nobody drives and starts their actors.
    Reconcile,
    /// Begins runs whose time has come.
    Schedules,
    /// Begins runs of sleep-time companions.
    SleepTime,
    /// Begins runs of the companions of voice agents.
    VoiceSleepTime,
    /// Finds groups with open messages that nobody drives.
    OrphanedGroups,
    /// Deletes agents that were made for one piece of work and have done it.
    EphemeralAgents,
    /// Lets idle actors leave memory while it is short.
    Pressure,
    /// Forgets the streams of runs that ended some time ago.
    EndedStreams,
    /// Deletes kept events that nobody will read any more.
    PruneEvents,
}

/// How often a duty is performed, and until when.
pub(crate) struct Plan {
    /// What it is called in logs and metrics.
    name: &'static str,
    /// A divisor of a minute in seconds, of an hour in minutes, or an hour.
    every: Duration,
    /// It begins up to this much later, so that not all nodes ask the database in the same moment.
    jitter: Duration,
    /// When it is performed no more.
    until: Until,
}

/// When a duty ends.
enum Until {
    /// When the node begins nothing new any more.
    Draining,
    /// When everything on the node has ended.
    Closed,
}

impl Duty {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Heartbeat,
        Self::Reconcile,
        Self::Schedules,
        Self::SleepTime,
        Self::VoiceSleepTime,
        Self::OrphanedGroups,
        Self::EphemeralAgents,
        Self::Pressure,
        Self::EndedStreams,
        Self::PruneEvents,
    ];

    fn plan(self) -> Plan {
        match self {
            Self::Heartbeat => heartbeat::PLAN,
            Self::Reconcile => reconcile::PLAN,
            Self::Schedules => schedules::PLAN,
            Self::SleepTime => sleep_time::PLAN,
            Self::VoiceSleepTime => voice_sleep_time::PLAN,
            Self::OrphanedGroups => orphaned_groups::PLAN,
            Self::EphemeralAgents => ephemeral_agents::PLAN,
            Self::Pressure => pressure::PLAN,
            Self::EndedStreams => ended_streams::PLAN,
            Self::PruneEvents => prune_events::PLAN,
        }
    }

    /// Does what is due now. True when that was as much as is done at once, so that more may be due.
    async fn perform(self, inner: &Arc<Inner>) -> Result<bool, StoreError> {
        match self {
            Self::Heartbeat => heartbeat::perform(inner).await,
            Self::Reconcile => reconcile::perform(inner).await,
            Self::Schedules => schedules::perform(inner).await,
            Self::SleepTime => sleep_time::perform(inner).await,
            Self::VoiceSleepTime => voice_sleep_time::perform(inner).await,
            Self::OrphanedGroups => orphaned_groups::perform(inner).await,
            Self::EphemeralAgents => ephemeral_agents::perform(inner).await,
            Self::Pressure => pressure::perform(inner),
            Self::EndedStreams => ended_streams::perform(inner),
            Self::PruneEvents => prune_events::perform(inner).await,
        }
    }

    /// What it is called in logs and metrics.
    pub fn name(self) -> &'static str {
        self.plan().name
    }

    /// How often it is performed.
    pub fn every(self) -> Duration {
        self.plan().every
    }
}

/// Which duties are being performed on this node.
#[derive(Default)]
pub(crate) struct Running([Mutex<()>; Duty::ALL.len()]);

impl Engine {
    /// Performs a duty now; after whoever is performing it.
    pub async fn tick(&self, duty: Duty) {
        tick(&self.0, duty).await;
    }
}

async fn tick(inner: &Arc<Inner>, duty: Duty) {
    let turn = inner.duties.0[duty as usize].lock().await;
    perform(inner, duty, turn).await;
}

/// As [`tick`]; nothing when it is being performed.
async fn tick_unless_running(inner: &Arc<Inner>, duty: Duty) {
    if let Ok(turn) = inner.duties.0[duty as usize].try_lock() {
        perform(inner, duty, turn).await;
    }
}

async fn perform(inner: &Arc<Inner>, duty: Duty, _turn: MutexGuard<'_, ()>) {
    let Plan { name, until, .. } = duty.plan();
    let over = || match until {
        Until::Draining => inner.closing.is_cancelled(),
        Until::Closed => inner.closed.is_cancelled(),
    };
    while !over() {
        match AssertUnwindSafe(duty.perform(inner)).catch_unwind().await {
            Ok(Ok(more)) => {
                metrics::duty_done(name, inner.ports.clock.now());
                if !more {
                    return;
                }
            }
            Ok(Err(error)) => {
                metrics::duty_failed(name);
                tracing::warn!(duty = name, %error, "a duty failed; it is tried again when its time comes");
                return;
            }
            Err(_) => {
                metrics::duty_failed(name);
                tracing::error!(duty = name, "a duty panicked; it is tried again when its time comes");
                return;
            }
        }
    }
}

/// Starts what a node does by itself: its heartbeat, its duties, and what listens to other nodes.
pub(crate) async fn start(inner: &Arc<Inner>) -> Result<(), StoreError> {
    inner.tasks.spawn(heartbeat::run(inner.clone()));
    inner.tasks.spawn(reconcile::before_its_time(inner.clone()));
    match inner.settings.ticker {
        Ticker::WallClock => ticker::start(inner)
            .await
            .map_err(|error| StoreError::Unavailable(format!("the ticker did not start: {error}"))),
        Ticker::Manual => Ok(()),
    }
}

/// Waits; false when the engine has closed meanwhile.
async fn pause(inner: &Inner, time: Duration) -> bool {
    tokio::select! {
        () = inner.closed.cancelled() => false,
        () = tokio::time::sleep(time) => true,
    }
}
