//! The database, as the engine needs it: one file, one subject. `engram-store` implements each trait in the file of its
//! subject, under the same names, down to the SQL.
//!
//! The engine reads and writes for the whole system, never for one tenant: none of these methods is restricted to an
//! organization.
//!
//! To add a question to the database: a method of the trait whose subject it is, its statement in that subject's file of
//! `engram-store`, and its rule in the database in memory of the engine's tests (`engine/tests/shared`). To add a subject:
//! a file here with its trait, the trait's name in [`EngineStore`], and the same two places.

mod accept;
mod commits;
mod due;
mod group_runs;
mod leases;
mod nodes;
mod notifications;
mod run_log;
mod runs;
mod snapshots;

pub use accept::{AcceptRuns, Accepted, NewRun};
pub use commits::{BlockWrite, Commit, CommitOutcome, Commits, ContextMark, RunUpdate};
pub use due::{Begun, EphemeralAgents, ScheduledRun, Schedules, SleepTime, VoiceSleepTime};
pub use group_runs::{EndedGroupRun, GroupFence, GroupRunEnd, GroupRuns, GroupTask, TurnRun};
pub use leases::{Fence, Leases, Owner};
pub use nodes::{NodeInfo, NodeStatus, Nodes, Peer};
pub use notifications::{Notifications, Wakeup, Wakeups};
pub use run_log::{LoggedEvent, RunLog};
pub use runs::Runs;
pub use snapshots::{AgentSnapshot, Loaded, MessageBuffer, PromptMeta, Snapshots};

/// All subjects together. Whatever implements each of them is an engine's store.
pub trait EngineStore:
    AcceptRuns
    + Commits
    + EphemeralAgents
    + GroupRuns
    + Leases
    + Nodes
    + Notifications
    + RunLog
    + Runs
    + Schedules
    + SleepTime
    + Snapshots
    + VoiceSleepTime
{
}

impl<T> EngineStore for T where
    T: AcceptRuns
        + Commits
        + EphemeralAgents
        + GroupRuns
        + Leases
        + Nodes
        + Notifications
        + RunLog
        + Runs
        + Schedules
        + SleepTime
        + Snapshots
        + VoiceSleepTime
{
}

/// Why the store could not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No connection, or none in time, or the database could not do it for reasons of its own (a full disk, a lock, a
    /// restart): whatever is not the content's fault. Nothing was changed as far as anybody knows. Try again.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// The database is there and has too much to do: a query took longer than it may, or had no turn in time.
    /// The text is fit for a caller's eyes.
    #[error("{0}")]
    Overloaded(String),
    /// A reference to something that does not exist, or a value the schema refuses.
    #[error("{0}")]
    Invalid(String),
    /// Something else of that name or id exists.
    #[error("{0}")]
    Conflict(String),
    /// A row that this version cannot read: table, column, and what is wrong.
    #[error("{table}.{column} of {id}: {problem}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: String,
        /// What is wrong.
        problem: String,
    },
    /// Everything else the database says.
    #[error("database error: {0}")]
    Database(String),
}
