//! The events of background runs, as they are kept for whoever reads them again.

use async_trait::async_trait;
use engram_domain::{Json, RunId, Time};

use super::{Fence, StoreError};

/// An event of a run's stream with its number, as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedEvent {
    /// Its number, from 1.
    pub seq: i64,
    /// The event.
    pub event: Json,
}

/// The kept events of runs.
#[async_trait]
pub trait RunLog: Send + Sync + 'static {
    /// Appends events to a run's log, unless the fence has moved on: false then, and nothing is written.
    async fn append_events(&self, fence: Fence, run: RunId, events: &[LoggedEvent]) -> Result<bool, StoreError>;

    /// Events of a run's log with a number above `after`, at most `limit`.
    async fn events(&self, run: RunId, after: i64, limit: i64) -> Result<Vec<LoggedEvent>, StoreError>;

    /// The number of the last event in a run's log, 0 when there is none.
    async fn last_event(&self, run: RunId) -> Result<i64, StoreError>;

    /// Deletes the events of runs that ended more than a day ago; their messages stay. How many they were.
    async fn prune_events(&self, now: Time) -> Result<u64, StoreError>;
}
