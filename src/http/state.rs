//! What every handler may use. Filled once, in `boot.rs`.

use std::sync::Arc;

use engram_core::ports::{Clock, Embedder, Ids, ToolExecutor};
use engram_engine::Engine;
use engram_llm::Providers;
use engram_store::Store;

use crate::config::Settings;

/// Shared handles; cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The database, for everything that is not the writing of a conversation.
    pub store: Store,
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
