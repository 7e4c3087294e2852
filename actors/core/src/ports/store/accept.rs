//! Accepting a run: its commit is the acknowledgement.

use async_trait::async_trait;
use engram_domain::{
    AgentId, ConversationId, Json, NodeId, RequestKey, Run, RunId, RunInput, RunType, Scope, Time, run::BusyPolicy,
};

use super::{Peer, StoreError};

/// A run that is about to be acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// The agent.
    pub agent_id: AgentId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// What is asked.
    pub input: RunInput,
    /// Whether nobody waits.
    pub background: bool,
    /// What began it.
    pub run_type: RunType,
    /// Free-form data of the caller.
    pub metadata: Json,
    /// Where to report its end.
    pub callback_url: Option<String>,
    /// Keys of this request, so that one sent twice is carried out once; see [`Accepted::Known`].
    pub keys: Vec<RequestKey>,
    /// What becomes of it while the agent is busy; the agent's own wish where none is given.
    pub busy_policy: Option<BusyPolicy>,
    /// Open runs that its conversation may have, this one not counted.
    pub max_queue: i64,
    /// Now.
    pub created_at: Time,
    /// For whom: an agent of another organization is not found.
    pub scope: Scope,
}

/// What became of a run that was to be stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// It is stored: this is the acknowledgement.
    Stored {
        /// The agent's revision.
        rev: i64,
        /// The other node that the conversation lives with, if one does.
        owner: Option<Peer>,
        /// What becomes of it, as request or agent wanted it: [`BusyPolicy::Interrupt`] or
        /// [`BusyPolicy::Queue`].
        policy: BusyPolicy,
    },
    /// A request of that name was accepted before. Nothing was stored.
    Known(Box<Run>),
    /// The conversation is busy with this run, and the request did not want to wait. Nothing was stored.
    Busy(RunId),
    /// As many runs wait as may. Nothing was stored.
    Full,
    /// There is no such agent or conversation.
    NotFound,
}

/// Storing runs that somebody asked for.
#[async_trait]
pub trait AcceptRuns: Send + Sync + 'static {
    /// Stores a run that `node` was asked for: its commit is the acknowledgement.
    async fn accept_run(&self, run: &NewRun, node: NodeId) -> Result<Accepted, StoreError>;
}
