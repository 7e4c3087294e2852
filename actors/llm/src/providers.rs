//! What the rest of the server sees of this crate.

use std::{collections::HashMap, sync::Arc};

use engram_core::ports::{Embedder, Ids, Llm, LlmError, LlmErrorKind};
use engram_domain::{EmbeddingConfig, LlmConfig};
use futures::{FutureExt, future::join_all};
use parking_lot::Mutex;

use crate::{
    EMBED_DIM, EMBED_HANDLE, ProviderSettings, SCRIPTED_HANDLE, SCRIPTED_WINDOW, SetupError, UnknownHandle,
    catalog::{self, FRESH, FRESH_FOR_A_MISS, Listed, Use},
    endpoint::{self, Endpoint},
    openai,
    router::Router,
    scripted::Scripted,
};

/// Counts the tokens of a text.
pub type CountTokens = fn(&str) -> usize;

/// The vector length that is assumed of an embedding model that nothing is known of and that could
/// not be asked.
const USUAL_DIM: i32 = 1_536;

/// A configured provider, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderInfo {
    /// What stands before the slash of its handles.
    pub name: &'static str,
    /// Its address, without user name and password; none for the built-in one.
    pub base_url: Option<String>,
}

/// All configured models. Cheap to clone.
#[derive(Clone)]
pub struct Providers {
    settings: Arc<ProviderSettings>,
    router: Arc<Router>,
    /// Vector lengths of embedding models that were found out by asking, by handle.
    dims: Arc<Mutex<HashMap<String, i32>>>,
}

impl Providers {
    /// Sets the providers up; sends nothing. `count` counts tokens for the built-in model, `ids` is
    /// where the randomness of retry pauses comes from.
    ///
    /// # Errors
    /// Settings that cannot work: an address that is none, a key that no header may carry.
    pub fn new(settings: ProviderSettings, count: CountTokens, ids: &Arc<dyn Ids>) -> Result<Self, SetupError> {
        let endpoints = endpoint::configured(&settings, ids)?;
        let router = Router { endpoints, scripted: Scripted::new(count) };
        Ok(Self { settings: Arc::new(settings), router: Arc::new(router), dims: Arc::default() })
    }

    /// Calls models.
    pub fn llm(&self) -> Arc<dyn Llm> {
        self.router.clone()
    }

    /// Embeds texts.
    pub fn embedder(&self) -> Arc<dyn Embedder> {
        self.router.clone()
    }

    /// The configured providers, the built-in one first.
    pub fn providers(&self) -> Vec<ProviderInfo> {
        let built_in = ProviderInfo { name: "engram", base_url: None };
        let others = self.router.endpoints.iter();
        let others = others.map(|e| ProviderInfo { name: e.name(), base_url: Some(e.shown.clone()) });
        std::iter::once(built_in).chain(others).collect()
    }

    /// Asks a provider for its models now, past every cache: how many there are.
    ///
    /// # Errors
    /// What is wrong with the provider, its address or its key; `UnknownModel` when no provider of
    /// this name is configured.
    pub async fn check(&self, provider: &str) -> Result<usize, LlmError> {
        match self.router.endpoint(provider) {
            Some(endpoint) => catalog::check(endpoint).await,
            None if provider == "engram" => Ok(1),
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
        for (endpoint, listed) in self.lists().await {
            let chat = listed.iter().filter(|m| m.use_ == Use::Chat);
            out.extend(chat.map(|m| catalog::llm_config(&self.settings, endpoint, endpoint.name(), m)));
        }
        out
    }

    /// Embedding models of all providers, as [`Providers::models`]. The vector length of a model that
    /// is not known is a guess until [`Providers::resolve_embedding`] has asked.
    pub async fn embedding_models(&self) -> Vec<EmbeddingConfig> {
        let mut out = vec![hashed()];
        for (endpoint, listed) in self.lists().await {
            for model in catalog::embedding_models(endpoint, &listed) {
                let handle = format!("{}/{model}", endpoint.name());
                let asked = self.dims.lock().get(&handle).copied();
                let dim = catalog::embedding_dim(&model).or(asked).unwrap_or(USUAL_DIM);
                out.push(catalog::embedding_config(endpoint, endpoint.name(), &model, dim));
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
        if let Some((endpoint, provider, model)) = self.find(handle, Use::Chat).await {
            return Ok(catalog::llm_config(&self.settings, endpoint, provider, &model));
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
        if let Some((endpoint, provider, model)) = self.find(handle, Use::Embedding).await {
            let dim = self.dim(endpoint, handle, &model.id).await;
            return Ok(catalog::embedding_config(endpoint, provider, &model.id, dim));
        }
        let known = self.embedding_models().await.into_iter().filter_map(|c| c.handle).collect();
        Err(UnknownHandle::new(handle, known))
    }

    async fn dim(&self, endpoint: &Endpoint, handle: &str, model: &str) -> i32 {
        let remembered = self.dims.lock().get(handle).copied();
        if let Some(dim) = catalog::embedding_dim(model).or(remembered) {
            return dim;
        }
        match openai::embeddings::dimensions(endpoint, model).await {
            Ok(dim) => {
                let dim = i32::try_from(dim).unwrap_or(USUAL_DIM);
                self.dims.lock().insert(handle.to_owned(), dim);
                dim
            }
            Err(error) => {
                tracing::warn!(handle, %error, "the length of the model's vectors cannot be found out; taken to be {USUAL_DIM}");
                USUAL_DIM
            }
        }
    }

    /// The provider of a handle, the name it was called by, and the model.
    async fn find<'h>(&self, handle: &'h str, use_: Use) -> Option<(&Endpoint, &'h str, Listed)> {
        let (provider, id) = handle.split_once('/').filter(|(_, id)| !id.is_empty())?;
        let endpoint = self.router.endpoint(provider)?;
        for age in [FRESH, FRESH_FOR_A_MISS] {
            match catalog::list(endpoint, age).await {
                Ok(listed) if !listed.is_empty() => {
                    // Ollama takes a name without its tag for the latest.
                    let same = |m: &&Listed| m.id == id || m.id.strip_suffix(":latest") == Some(id);
                    if let Some(model) = listed.iter().find(same) {
                        return Some((endpoint, provider, Listed { id: id.to_owned(), ..model.clone() }));
                    }
                    let always =
                        use_ == Use::Embedding && catalog::embedding_models(endpoint, &listed).iter().any(|m| m == id);
                    if always {
                        return Some((endpoint, provider, Listed::unlisted(id, use_)));
                    }
                }
                _ => return Some((endpoint, provider, Listed::unlisted(id, use_))),
            }
        }
        None
    }

    /// The lists of all providers that have one, asked for at the same time.
    async fn lists(&self) -> Vec<(&Endpoint, Arc<Vec<Listed>>)> {
        // Boxed: a stream of futures that borrow is not provably `Send` for every lifetime.
        let asked = self.router.endpoints.iter().map(|endpoint| {
            let listed = async move { (endpoint, catalog::list(endpoint, FRESH).await.unwrap_or_default()) };
            listed.boxed()
        });
        join_all(asked.collect::<Vec<_>>()).await
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
