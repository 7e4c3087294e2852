//! What an agent's actor is sent, and what becomes of messages that no actor will take.

use engram_core::{
    ports::StoreError,
    step::{CommandOutcome, Event},
};
use engram_domain::{Run, RunId};
use tokio::sync::oneshot;
use tracing::Span;

use crate::{
    Inner,
    api::{Command, CommandError},
};

/// Where the outcome of a command goes.
pub(crate) type Reply = oneshot::Sender<Result<CommandOutcome, CommandError>>;

/// What comes into the mailbox.
pub(crate) enum Msg {
    /// A run was accepted. Only a pointer: losing it loses nothing, the run is in the database.
    Run(Box<AcceptedRun>),
    /// There is a run that this actor may not have heard of.
    Look { run: RunId },
    /// A call of a model or a tool is over.
    Event(Event),
    /// Do something when idle.
    Command { command: Command, reply: Reply },
    /// End a run.
    Cancel { run: RunId, reply: oneshot::Sender<Result<bool, StoreError>> },
    /// The actor is in the registry: it may begin what was left open.
    Begin,
    /// Is there anything left to do?
    Idle,
    /// Memory is short: end if there is nothing to do.
    Passivate,
    /// End: begin no other run, and finish the current one, or only its current step when another node can go on.
    Close { hand_over: bool },
}

/// A run as it was accepted on this node, so that its actor need not read it.
pub(crate) struct AcceptedRun {
    pub(crate) run: Run,
    /// The agent's revision when the run was accepted.
    pub(crate) rev: i64,
    /// The request that brought it.
    pub(crate) cause: Span,
}

/// Why nobody takes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The conversation does not exist any more.
    Gone,
    /// It lives with another node, or could not be loaded.
    Elsewhere,
    /// Its actor was interrupted in the middle of it.
    Interrupted,
}

impl From<Refusal> for CommandError {
    fn from(why: Refusal) -> Self {
        match why {
            Refusal::Gone => Self::NotFound,
            Refusal::Elsewhere => Self::Elsewhere,
            Refusal::Interrupted => Self::Unavailable("the agent was interrupted; try again".into()),
        }
    }
}

/// What becomes of messages that no actor will take: runs stay in the database and are found there, the others' callers
/// are told.
pub(crate) fn refuse(inner: &Inner, messages: Vec<Msg>, why: Refusal) {
    for message in messages {
        match message {
            Msg::Command { reply, .. } => {
                let _ = reply.send(Err(why.into()));
            }
            // The sender looks for the owner then.
            Msg::Cancel { reply, .. } => drop(reply),
            Msg::Run(accepted) => {
                inner.hub.leave(accepted.run.id);
                inner.reconcile_soon.notify_one();
            }
            Msg::Look { run } => inner.hub.leave(run),
            Msg::Event(_) | Msg::Begin | Msg::Idle | Msg::Passivate | Msg::Close { .. } => {}
        }
    }
}
