//! What callers send to the engine and what they get back.

use std::sync::Arc;

use engram_core::{
    ports::{Delta, StoreError},
    step::RunEnd,
};
use engram_domain::{CompactionSettings, Content, Message, MessageId, RunId, StepId, Time};
use serde::{Deserialize, Serialize};

/// Why a run was not accepted. Nothing was stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitError {
    /// No such agent or conversation.
    #[error("no such agent or conversation")]
    NotFound,
    /// The server is stopping, and no other one takes over.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The conversation is busy with this run, and the request did not want to wait.
    #[error("the conversation is busy with {0}")]
    Busy(RunId),
    /// As many runs wait in the conversation as may.
    #[error("too many runs are waiting")]
    Full,
    /// The name of this request was given to another request before.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Something that happened in a run, in the order in which it happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamEvent {
    /// A piece of the message that the model is writing. Only runs that asked for tokens have them.
    Delta {
        /// The id that the assistant's message will have.
        message_id: MessageId,
        /// The step it belongs to.
        step_id: StepId,
        /// When it came.
        at: Time,
        /// The piece.
        delta: Delta,
    },
    /// A message that is committed.
    Message(Arc<Message>),
    /// The end. Nothing comes after it.
    Ended(Box<RunEnd>),
}

impl StreamEvent {
    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Delta { delta, .. } => size_of::<Self>() + delta.bytes(),
            Self::Message(message) => size_of::<Self>() + message.bytes(),
            Self::Ended(_) => size_of::<Self>() + size_of::<RunEnd>(),
        }
    }
}

/// Something an actor does besides runs, when it is idle.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Forget the conversation.
    Reset {
        /// Start again with the boot sequence of the agent's type instead of the system prompt only.
        add_default_initial_messages: bool,
    },
    /// Forget what was said in a group.
    Forget {
        /// The group's id, as messages carry it.
        group: String,
    },
    /// Compile the system prompt again even if nothing changed.
    Recompile {
        /// Only say what it would be.
        dry_run: bool,
    },
    /// Take messages out of the context and put a summary in their place.
    Compact {
        /// Instead of the agent's own settings.
        settings: Option<CompactionSettings>,
        /// Keep this many of the latest messages instead of a share of the window.
        keep_last: Option<usize>,
    },
    /// Deny what waits for the client's approval. The outcome is the message that asked for it. Only
    /// what is meant is denied: the command may arrive when something else waits.
    DenyPending(Pending),
    /// Change what a message says.
    EditMessage {
        /// Which.
        id: MessageId,
        /// What it says from now on.
        content: Content,
    },
}

/// What waits for an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pending {
    /// This request.
    Request(MessageId),
    /// What was asked for in this group.
    Group(String),
    /// What was asked for in one of these runs.
    Runs(Vec<RunId>),
}

impl Pending {
    /// Whether this message is it.
    pub fn is(&self, request: &Message) -> bool {
        match self {
            Self::Request(id) => request.id == *id,
            Self::Group(id) => request.group_id.as_deref() == Some(id),
            Self::Runs(ids) => request.run_id.is_some_and(|run| ids.contains(&run)),
        }
    }
}

/// Why a command was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommandError {
    /// No such conversation or message.
    #[error("no such conversation or message")]
    NotFound,
    /// It makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The conversation does not live on this node.
    #[error("the agent moved to another node; try again")]
    Elsewhere,
    /// The actor could not be reached; try again.
    #[error("{0}")]
    Unavailable(String),
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}
