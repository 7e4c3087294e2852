//! An agent's actor: the one writer of a conversation.
//!
//! [`actor`]: its life, from the claim of the conversation to its release. [`drive`]: the step function and its effects.
//! [`outside`]: calls that run in tasks of their own and come back as messages. [`queue`]: which run is next, without
//! anything that waits. [`mailbox`]: what an actor is sent.
//!
//! Each knows only those after it, and the rest of the engine knows of an actor only its mailbox. An actor never starts
//! another one: what comes too late for it goes through the registry.

mod actor;
mod drive;
mod mailbox;
mod outside;
mod queue;

pub(crate) use actor::{AgentActor, Arguments};
pub(crate) use mailbox::{AcceptedRun, Msg, Refusal, refuse};
