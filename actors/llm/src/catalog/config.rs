//! What the API shows of a model.

use engram_domain::{EmbeddingConfig, LlmConfig};

use super::{Listed, Use, known};
use crate::{ProviderSettings, endpoint::Endpoint, openai};

/// Tokens of an answer of a model that nothing is known of.
const MAX_TOKENS: i32 = 4_096;

impl Listed {
    /// A model that the list does not have, or that there was no list to look into.
    pub(crate) fn unlisted(id: &str, use_: Use) -> Self {
        Self { id: id.to_owned(), window: None, use_ }
    }
}

/// A model under the given name of its provider. The window is the model's whole one: what an agent
/// makes of it is the caller's business.
pub(crate) fn llm_config(
    settings: &ProviderSettings,
    endpoint: &Endpoint,
    provider: &str,
    model: &Listed,
) -> LlmConfig {
    let handle = format!("{provider}/{}", model.id);
    let context_window = settings
        .context_window_overrides
        .get(&handle)
        .copied()
        .filter(|w| *w > 0)
        .or(model.window)
        .or_else(|| known::window(&model.id))
        .unwrap_or(settings.unknown_context_window);
    // The answer must leave room for the prompt, also in a small window.
    let max_tokens = known::max_output(&model.id).unwrap_or(MAX_TOKENS).min(context_window / 4).max(1);
    LlmConfig {
        model: model.id.clone(),
        display_name: Some(model.id.clone()),
        model_endpoint: Some(endpoint.shown.clone()),
        provider_name: Some(provider.to_owned()),
        context_window,
        handle: Some(handle),
        temperature: Some(1.0),
        max_tokens: Some(max_tokens),
        enable_reasoner: Some(openai::model::is_openai_reasoner(&model.id)),
        ..LlmConfig::default()
    }
}

/// An embedding model; `dim` is the length of its vectors.
pub(crate) fn embedding_config(endpoint: &Endpoint, provider: &str, model: &str, dim: i32) -> EmbeddingConfig {
    EmbeddingConfig {
        embedding_endpoint: Some(endpoint.shown.clone()),
        embedding_model: model.to_owned(),
        embedding_dim: dim,
        handle: Some(format!("{provider}/{model}")),
        ..EmbeddingConfig::default()
    }
}
