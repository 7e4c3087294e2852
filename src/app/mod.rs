//! What the server does, whoever asks for it.
//!
//! What it does: [`App`] is what one request (or command, or import) works with: the shared handles, and the store as the
//! caller's organization may use it.
//!
//! Invariants: nothing here knows wire types or HTTP; what a caller may not see does not exist for it.

use std::sync::Arc;

use engram_core::ports::{Clock, Embedder, Ids, ToolExecutor};
use engram_domain::Scope;
use engram_engine::Engine;
use engram_llm::Providers;
use engram_store::ScopedStore;

use crate::config::Settings;

/// What one request works with. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// For whom.
    pub scope: Scope,
    /// The database, for everything that is not the writing of a conversation.
    pub store: ScopedStore,
    /// The agents. Whatever writes to a conversation goes through it.
    pub engine: Engine,
    /// Known models.
    pub providers: Arc<Providers>,
    /// Turns text into vectors.
    pub embedder: Arc<dyn Embedder>,
    /// Runs tools.
    pub executor: Arc<dyn ToolExecutor>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn Ids>,
    /// The settings that the server started with.
    pub settings: Arc<Settings>,
}
