//! What callers send to the engine and what they get back.

use std::sync::Arc;

use engram_core::{
    ports::{Delta, StoreError},
    step::RunEnd,
};
use engram_domain::{CompactionSettings, Content, Message, MessageId, StepId, Time};

/// Why a run was not accepted. Nothing was stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitError {
    /// No such agent or conversation.
    #[error("no such agent or conversation")]
    NotFound,
    /// The server is stopping.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Something that happened in a run, in the order in which it happened.
#[derive(Debug, Clone)]
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
    /// The id of a committed message.
    pub(crate) fn message_id(&self) -> Option<MessageId> {
        match self {
            Self::Message(message) => Some(message.id),
            _ => None,
        }
    }
}

/// Something an actor does besides runs, when it is idle.
#[derive(Debug, Clone)]
pub enum Command {
    /// Forget the conversation.
    Reset {
        /// Start again with the boot sequence of the agent's type instead of the system prompt only.
        add_default_initial_messages: bool,
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
    /// Change what a message says.
    EditMessage {
        /// Which.
        id: MessageId,
        /// What it says from now on.
        content: Content,
    },
}

/// What became of a command.
#[derive(Debug, Clone)]
pub enum CommandOutcome {
    /// Done.
    Done,
    /// The compiled prompt.
    Prompt(String),
    /// The context was compacted.
    Compacted {
        /// What stands for the messages that left; none when nothing had to leave.
        summary: Option<String>,
        /// Messages in context before.
        before: usize,
        /// Messages in context after.
        after: usize,
    },
    /// The message as it is now.
    Message(Arc<Message>),
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
    /// The actor could not be reached; try again.
    #[error("{0}")]
    Unavailable(String),
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}
