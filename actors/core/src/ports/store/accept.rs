//! Accepting a run: its commit is the acknowledgement.

use async_trait::async_trait;
pub use engram_domain::NewRun;
use engram_domain::{NodeId, Run, RunId, run::BusyPolicy};

use super::{Peer, StoreError};

/// What became of a run that was to be stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// It is stored: this is the acknowledgement.
    Stored {
        /// The revision of the conversation's agent; 0 for a group.
        rev: i64,
        /// The other node that owns the conversation or group, if one does.
        owner: Option<Peer>,
        /// What becomes of it, as request or agent wanted it: [`BusyPolicy::Interrupt`] or
        /// [`BusyPolicy::Queue`].
        policy: BusyPolicy,
    },
    /// A request with one of its keys was accepted before. Nothing was stored.
    Known(Box<Run>),
    /// The conversation or group is busy with this run, and the request did not want to wait. Nothing was stored.
    Busy(RunId),
    /// As many runs wait as may. Nothing was stored.
    Full,
    /// There is no such agent, conversation or group.
    NotFound,
}

/// Storing runs that somebody asked for.
#[async_trait]
pub trait AcceptRuns: Send + Sync + 'static {
    /// Stores a run that `node` was asked for: its commit is the acknowledgement.
    async fn accept_run(&self, run: &NewRun, node: NodeId) -> Result<Accepted, StoreError>;
}
