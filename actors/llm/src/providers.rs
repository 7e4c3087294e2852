//! What the rest of the server sees of this crate.

use std::sync::Arc;

use engram_core::ports::{Embedder, Ids, Llm, LlmError, LlmErrorKind};
use engram_domain::{EmbeddingConfig, LlmConfig, OrgId};
use futures::{FutureExt, future::join_all};

use crate::{
    EMBED_DIM, EMBED_HANDLE, ProviderSettings, ProviderSpec, SCRIPTED_HANDLE, SCRIPTED_WINDOW, SetupError,
    UnknownHandle,
    catalog::{self, FRESH, FRESH_FOR_A_MISS, Listed, Use},
    provider::{Provider, USUAL_DIM},
    registry::Registry,
    router::Router,
    scripted::Scripted,
};

/// Counts the tokens of a text.
pub type CountTokens = fn(&str) -> usize;

/// The provider that is always there.
pub(crate) const BUILT_IN: &str = "engram";

/// A configured provider, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderInfo {
    /// What stands before the slash of its handles.
    pub name: String,
    /// Its address, without user name and password; none for the built-in one.
    pub base_url: Option<String>,
}

/// All configured models, as one organization or the server itself sees them. Cheap to clone: all clones have one table.
#[derive(Clone)]
pub struct Providers {
    registry: Arc<Registry>,
    organization: Option<OrgId>,
    scripted: Scripted,
}

impl Providers {
    /// The built-in models alone; see [`Providers::set`]. `count` counts tokens for the built-in model, `ids` is where the
    /// randomness of retry pauses comes from.
    pub fn new(settings: ProviderSettings, count: CountTokens, ids: Arc<dyn Ids>) -> Self {
        let registry = Arc::new(Registry::new(settings, ids));
        Self { registry, organization: None, scripted: Scripted::new(count) }
    }

    /// The models of an organization: its own providers, and the server's that it has none of the same name beside. What is
    /// set and removed then is the organization's.
    #[must_use]
    pub fn of_organization(&self, organization: OrgId) -> Self {
        Self { organization: Some(organization), ..self.clone() }
    }

    /// Adds a provider, in place of the one of this name if there is one (true then). Sends nothing. Calls that are under
    /// way keep what they began with; what comes next goes to the new one.
    ///
    /// # Errors
    /// A provider that cannot work: an address that is none, a key that no header can carry. Nothing is changed then.
    pub fn set(&self, spec: ProviderSpec) -> Result<bool, SetupError> {
        self.registry.set(self.organization, spec)
    }

    /// Removes a provider. Calls that are under way go on. False when there is none of this name.
    pub fn remove(&self, name: &str) -> bool {
        self.registry.remove(self.organization, name)
    }

    /// Calls models.
    pub fn llm(&self) -> Arc<dyn Llm> {
        self.router()
    }

    /// Embeds texts.
    pub fn embedder(&self) -> Arc<dyn Embedder> {
        self.router()
    }

    fn router(&self) -> Arc<Router> {
        let Self { registry, organization, scripted } = self.clone();
        Arc::new(Router { registry, organization, scripted })
    }

    /// The configured providers, the built-in one first.
    pub fn providers(&self) -> Vec<ProviderInfo> {
        let built_in = ProviderInfo { name: BUILT_IN.into(), base_url: None };
        let others = self.registry.visible(self.organization).into_iter();
        let others = others.map(|p| ProviderInfo { name: p.name().into(), base_url: Some(p.endpoint.shown.clone()) });
        std::iter::once(built_in).chain(others).collect()
    }

    /// Asks a provider for its models now, past every cache: how many there are.
    ///
    /// # Errors
    /// What is wrong with the provider, its address or its key; `UnknownModel` when no provider of
    /// this name is configured.
    pub async fn check(&self, provider: &str) -> Result<usize, LlmError> {
        match self.registry.find(self.organization, provider) {
            Some(provider) => catalog::check(&provider).await,
            None if provider == BUILT_IN => Ok(1),
            None => {
                let message = format!("no provider '{provider}' is configured");
                Err(LlmError::new(LlmErrorKind::UnknownModel, message))
            }
        }
    }

    /// Chat models of all providers, with their whole windows. A provider that does not answer is left
    /// out. At most a minute old; takes at most the time limit for lists.
    pub async fn models(&self) -> Vec<LlmConfig> {
        let mut out = vec![scripted()];
        for (provider, listed) in self.lists().await {
            let chat = listed.iter().filter(|m| m.use_ == Use::Chat);
            let settings = &self.registry.settings;
            out.extend(chat.map(|m| catalog::llm_config(settings, &provider.endpoint, provider.name(), m)));
        }
        out
    }

    /// Embedding models of all providers, as [`Providers::models`]. The vector length of a model that
    /// is not known is a guess until [`Providers::resolve_embedding`] has asked.
    pub async fn embedding_models(&self) -> Vec<EmbeddingConfig> {
        let mut out = vec![hashed()];
        for (provider, listed) in self.lists().await {
            for model in provider.embedding_models(&listed) {
                let dim = provider.known_dim(&model).unwrap_or(USUAL_DIM);
                out.push(catalog::embedding_config(&provider.endpoint, provider.name(), &model, dim));
            }
        }
        out
    }

    /// The configuration of a chat model. A name that its provider does not list is taken on trust
    /// when the list cannot be had.
    ///
    /// # Errors
    /// No such provider, or a provider that lists its models and not this one.
    pub async fn resolve_model(&self, handle: &str) -> Result<LlmConfig, UnknownHandle> {
        if handle == SCRIPTED_HANDLE {
            return Ok(scripted());
        }
        if let Some((provider, name, model)) = self.find(handle, Use::Chat).await {
            return Ok(catalog::llm_config(&self.registry.settings, &provider.endpoint, name, &model));
        }
        let known = self.models().await.into_iter().filter_map(|c| c.handle).collect();
        Err(UnknownHandle::new(handle, known))
    }

    /// The configuration of an embedding model. Where the length of its vectors is not known, the
    /// model is asked once.
    ///
    /// # Errors
    /// As [`Providers::resolve_model`].
    pub async fn resolve_embedding(&self, handle: &str) -> Result<EmbeddingConfig, UnknownHandle> {
        if handle == EMBED_HANDLE {
            return Ok(hashed());
        }
        if let Some((provider, name, model)) = self.find(handle, Use::Embedding).await {
            let dim = provider.dim(&model.id).await;
            return Ok(catalog::embedding_config(&provider.endpoint, name, &model.id, dim));
        }
        let known = self.embedding_models().await.into_iter().filter_map(|c| c.handle).collect();
        Err(UnknownHandle::new(handle, known))
    }

    /// The provider of a handle, the name it was called by, and the model.
    async fn find<'h>(&self, handle: &'h str, use_: Use) -> Option<(Arc<Provider>, &'h str, Listed)> {
        let (name, id) = handle.split_once('/').filter(|(_, id)| !id.is_empty())?;
        let provider = self.registry.find(self.organization, name)?;
        for age in [FRESH, FRESH_FOR_A_MISS] {
            match catalog::list(&provider, age).await {
                Ok(listed) if !listed.is_empty() => {
                    // Ollama takes a name without its tag for the latest.
                    let same = |m: &&Listed| m.id == id || m.id.strip_suffix(":latest") == Some(id);
                    if let Some(model) = listed.iter().find(same) {
                        let model = Listed { id: id.to_owned(), ..model.clone() };
                        return Some((provider, name, model));
                    }
                    if use_ == Use::Embedding && provider.embedding_models(&listed).iter().any(|m| m == id) {
                        return Some((provider, name, Listed::unlisted(id, use_)));
                    }
                }
                _ => return Some((provider, name, Listed::unlisted(id, use_))),
            }
        }
        None
    }

    /// The lists of all providers that have one, asked for at the same time.
    async fn lists(&self) -> Vec<(Arc<Provider>, Arc<Vec<Listed>>)> {
        let asked = self.registry.visible(self.organization).into_iter().map(|provider| {
            let listed = async move {
                let listed = catalog::list(&provider, FRESH).await.unwrap_or_default();
                (provider, listed)
            };
            listed.boxed()
        });
        join_all(asked).await
    }
}

impl std::fmt::Debug for Providers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Providers").field(&self.providers()).finish()
    }
}

fn scripted() -> LlmConfig {
    LlmConfig {
        model: "scripted".into(),
        display_name: Some("scripted".into()),
        provider_name: Some("engram".into()),
        context_window: SCRIPTED_WINDOW,
        handle: Some(SCRIPTED_HANDLE.into()),
        temperature: Some(1.0),
        max_tokens: Some(4_096),
        enable_reasoner: Some(false),
        ..LlmConfig::default()
    }
}

fn hashed() -> EmbeddingConfig {
    EmbeddingConfig {
        embedding_model: "embed".into(),
        embedding_dim: EMBED_DIM as i32,
        handle: Some(EMBED_HANDLE.into()),
        ..EmbeddingConfig::default()
    }
}
