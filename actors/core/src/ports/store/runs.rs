//! Runs, as they are read and ended outside the commits of their actors.

use async_trait::async_trait;
use engram_domain::{Message, Run, RunId, RunOwner, StopReason, Time};

use super::StoreError;

/// Runs that are stored.
#[async_trait]
pub trait Runs: Send + Sync + 'static {
    /// A run with its input.
    async fn run(&self, id: RunId) -> Result<Option<Run>, StoreError>;

    /// What a run has committed to its conversation, by `seq`; of a group's run what its stream shows, turn by turn.
    async fn messages_of(&self, run: RunId) -> Result<Vec<Message>, StoreError>;

    /// Runs of a conversation or a group that are not over: one that was begun first, the others in
    /// the order in which the database accepted them.
    async fn open_runs(&self, owner: RunOwner) -> Result<Vec<RunId>, StoreError>;

    /// Ends a run that no actor drives (its agent is gone, or it was cancelled before it began).
    /// True when this call ended it.
    async fn end_run(
        &self,
        id: RunId,
        stop_reason: StopReason,
        error: Option<&str>,
        now: Time,
    ) -> Result<bool, StoreError>;
}
