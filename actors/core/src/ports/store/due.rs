//! Work that begins or ends by itself: the tables say what is due, and the database decides who begins it. Every node may
//! ask at any time.

use async_trait::async_trait;
use engram_domain::{AgentId, ConversationId, RunId, ScheduleId, Time};

use super::StoreError;
use crate::ports::Ids;

/// A run that was begun for an agent, and the conversation that it waits in.
pub type Begun = (ConversationId, RunId);

/// A time of a schedule and the run that it has become. The run waits in the default conversation of its agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledRun {
    /// The schedule.
    pub schedule_id: ScheduleId,
    /// Its agent.
    pub agent_id: AgentId,
    /// The run.
    pub run_id: RunId,
    /// When it was due.
    pub due_at: Time,
    /// When the schedule is due again.
    pub next_at: Option<Time>,
}

/// Runs that are due by the clock.
#[async_trait]
pub trait Schedules: Send + Sync + 'static {
    /// Begins what schedules want at this time, at most `limit`, the longest due first; each time of a schedule once,
    /// however many ask. Fewer than `limit` means that for now there are no more.
    async fn begin_scheduled(&self, now: Time, limit: i64, ids: &dyn Ids) -> Result<Vec<ScheduledRun>, StoreError>;
}

/// Runs of sleep-time companions.
#[async_trait]
pub trait SleepTime: Send + Sync + 'static {
    /// Begins the runs of companions that are due by the committed turns of their groups, by their agents' idleness, or
    /// by their groups' own times; each once, however many ask.
    async fn begin_sleep_time(&self, now: Time, limit: i64, ids: &dyn Ids) -> Result<Vec<Begun>, StoreError>;
}

/// Runs of the companions of voice agents.
#[async_trait]
pub trait VoiceSleepTime: Send + Sync + 'static {
    /// Begins the runs of companions whose agents' contexts have lost messages that they were not told of; each message
    /// is told once, however many ask. `limit` counts groups.
    async fn begin_voice_sleep_time(&self, now: Time, limit: i64, ids: &dyn Ids) -> Result<Vec<Begun>, StoreError>;
}

/// Agents that were made for one piece of work.
#[async_trait]
pub trait EphemeralAgents: Send + Sync + 'static {
    /// Deletes those that have done it, at most `limit`. How many.
    async fn sweep_ephemeral(&self, now: Time, limit: i64) -> Result<u64, StoreError>;
}
