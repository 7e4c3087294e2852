//! What the server does, whoever asks for it.
//!
//! What it does: [`App`] is what one request (or command, or import) works with: the shared handles, and the store as
//! the caller's organization may use it.
//!
//! [`agents`], [`archives`], [`blocks`] and their neighbours are the operations, one module a resource; [`Error`] is
//! why one was not carried out.
//!
//! Invariants: nothing here knows wire types or HTTP (a test says so), so imports, templates, commands and routes
//! use the same functions; input is refused before anything is stored; what a caller may not see does not exist for it.
//!
//! To add an operation: a function in its resource's module that takes an [`App`] and input types of this layer, and
//! answers a [`Result`]; its route converts the request, calls it and shows what it answers (see [`crate::http`]). What
//! comes as a list is bounded first ([`limits`]), and what takes a processor more than a moment goes through [`cpu`].

pub mod agents;
pub mod archives;
pub mod blocks;
pub mod conversations;
pub mod cpu;
pub mod error;
pub mod groups;
pub mod health;
pub mod keys;
pub mod limits;
pub mod messages;
mod order;
pub mod runs;
pub mod schedules;
pub mod steps;
pub mod tools;
pub mod tree;

mod engine;

use std::sync::Arc;

use engram_core::ports::{Clock, Embedder, Ids};
use engram_domain::{Scope, UserId};
use engram_llm::Providers;
use engram_store::ScopedStore;

pub use self::error::{Error, Result};
use crate::config::Settings;

pub use engine::ScopedEngine;

/// What one request works with. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// For whom.
    pub scope: Scope,
    /// As which user of the organization; nobody for a key without a user.
    pub user: Option<UserId>,
    /// Whether it is whoever runs the server, who may look after all organizations.
    pub operator: bool,
    /// The database, for everything that is not the writing of a conversation.
    pub store: ScopedStore,
    /// What an administrator looks after: all organizations for the operator, else the caller's own.
    pub tenants: ScopedStore,
    /// The agents. Whatever writes to a conversation goes through it.
    pub engine: ScopedEngine,
    /// Known models.
    pub providers: Arc<Providers>,
    /// Turns text into vectors.
    pub embedder: Arc<dyn Embedder>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn Ids>,
    /// The settings that the server started with.
    pub settings: Arc<Settings>,
}

/// Sorted, each once: how tags are kept.
pub(crate) fn sorted(mut tags: Vec<String>) -> Vec<String> {
    tags.sort_unstable();
    tags.dedup();
    tags
}
