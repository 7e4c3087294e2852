//! What nodes ask of each other, and the port through which they do.
//!
//! A node that was asked for something that lives with another node asks that one: a single request
//! over HTTP, never passed on again. The answer to a request that reaches the wrong node is
//! [`PeerReply::NotHere`], and whoever asked looks for the owner again.

use std::time::Duration;

use async_trait::async_trait;
use engram_core::{ports::Peer, step::CommandOutcome};
use engram_domain::{ConversationId, RunId, RunOwner};
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::{
    activity::LiveConversation,
    api::{Command, CommandError, StreamEvent},
};

/// What one node asks of another.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerRequest {
    /// The run's events with a number above `after`, as they come. Answered by lines of [`PeerFrame`].
    Follow {
        /// What it belongs to.
        owner: RunOwner,
        /// The run.
        run: RunId,
        /// The number of the last event that is known.
        after: i64,
    },
    /// End a run. Answered by [`PeerReply::Cancelled`].
    Cancel {
        /// What it belongs to.
        owner: RunOwner,
        /// The run.
        run: RunId,
    },
    /// Have a conversation's actor do something. Answered by [`PeerReply::Done`] or a failure.
    Command {
        /// The conversation.
        conversation: ConversationId,
        /// What.
        command: Command,
    },
    /// List the actors. Answered by [`PeerReply::Activity`].
    Activity,
}

/// A line of the answer to [`PeerRequest::Follow`]. An empty line is a sign of life.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerFrame {
    /// An event with its number.
    Event(i64, StreamEvent),
    /// Nothing more comes from here: the run is to be looked for again.
    Moved,
}

/// The answer to the other requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerReply {
    /// The conversation does not live on this node.
    NotHere,
    /// Whether this request ended the run.
    Cancelled(bool),
    /// The actors of the node.
    Activity(Vec<LiveConversation>),
    /// The command was carried out.
    Done(CommandOutcome),
    /// There is no such conversation or message.
    NotFound,
    /// The command makes no sense.
    Invalid(String),
    /// Try again.
    Unavailable(String),
}

impl From<Result<CommandOutcome, CommandError>> for PeerReply {
    fn from(result: Result<CommandOutcome, CommandError>) -> Self {
        match result {
            Ok(outcome) => Self::Done(outcome),
            Err(CommandError::NotFound) => Self::NotFound,
            Err(CommandError::Invalid(why)) => Self::Invalid(why),
            Err(CommandError::Elsewhere) => Self::NotHere,
            Err(CommandError::Unavailable(why)) => Self::Unavailable(why),
            Err(CommandError::Store(error)) => Self::Unavailable(error.to_string()),
        }
    }
}

/// The other node did not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the other node did not answer: {0}")]
pub struct PeerError(pub String);

/// Events of a run on another node. It ends when nothing more comes from there.
pub type PeerEvents = BoxStream<'static, (i64, StreamEvent)>;

/// Speaks to other nodes.
#[async_trait]
pub trait Peers: Send + Sync + 'static {
    /// Listens to a run there.
    async fn follow(&self, peer: &Peer, request: PeerRequest) -> Result<PeerEvents, PeerError>;

    /// Asks something else, and waits for the answer no longer than `patience`.
    async fn ask(&self, peer: &Peer, request: PeerRequest, patience: Duration) -> Result<PeerReply, PeerError>;
}

/// For a node that is alone: nobody answers.
pub struct NoPeers;

#[async_trait]
impl Peers for NoPeers {
    async fn follow(&self, _: &Peer, _: PeerRequest) -> Result<PeerEvents, PeerError> {
        Err(PeerError("this node speaks to no others".into()))
    }

    async fn ask(&self, _: &Peer, _: PeerRequest, _: Duration) -> Result<PeerReply, PeerError> {
        Err(PeerError("this node speaks to no others".into()))
    }
}
