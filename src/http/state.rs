//! What every handler may use. Filled once, in `boot.rs`.

use std::{convert::Infallible, sync::Arc};

use axum::{extract::FromRequestParts, http::request::Parts};
use engram_core::ports::{Clock, Embedder, Ids};
use engram_domain::{DEFAULT_ORGANIZATION, Scope};
use engram_engine::Engine;
use engram_llm::Providers;
use engram_store::Store;

use crate::{app::App, config::Settings};

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
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn Ids>,
    /// The settings that the server started with.
    pub settings: Arc<Settings>,
}

impl AppState {
    /// What a request of this scope works with.
    pub fn app(&self, scope: Scope) -> App {
        App {
            scope,
            store: self.store.scoped(scope),
            engine: self.engine.clone(),
            providers: self.providers.clone(),
            embedder: self.embedder.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            settings: self.settings.clone(),
        }
    }
}

/// Every request works within the caller's organization.
impl FromRequestParts<AppState> for App {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        Ok(state.app(Scope::Organization(DEFAULT_ORGANIZATION)))
    }
}
