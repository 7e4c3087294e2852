//! What every handler may use. Filled once, in `boot.rs`.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use engram_core::ports::{Clock, Embedder, Ids};
use engram_domain::Scope;
use engram_engine::Engine;
use engram_llm::Providers;
use engram_store::Store;

use crate::{
    app::{App, ScopedEngine},
    config::Settings,
    http::{auth::Identity, error::ApiError},
};

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
    /// What a request of this identity works with.
    pub fn app(&self, identity: Identity) -> App {
        let store = self.store.scoped(identity.scope);
        let store = if identity.sees_secrets { store } else { store.without_secrets() };
        App {
            scope: identity.scope,
            user: identity.user,
            operator: identity.operator,
            tenants: if identity.operator { self.store.scoped(Scope::System) } else { store.clone() },
            engine: ScopedEngine::new(self.engine.clone(), store.clone()),
            store,
            providers: self.providers.clone(),
            embedder: self.embedder.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            settings: self.settings.clone(),
        }
    }
}

/// Every request works within the caller's organization. [`crate::http::auth`] has found out whose that is.
impl FromRequestParts<AppState> for App {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let identity = parts.extensions.get::<Identity>();
        identity.map(|identity| state.app(*identity)).ok_or_else(|| ApiError::internal("nobody was authenticated"))
    }
}
