//! Entries of the model lists: the configuration that an agent would get, and the members that only
//! the lists of one generation have.

use engram_domain::{EmbeddingConfig, LlmConfig};
use serde::Serialize;
use utoipa::ToSchema;

use super::llm::{EmbeddingConfigDto, LlmConfigDto};

/// Values of `provider_type` that the 1.x clients know.
const PROVIDER_TYPES: [&str; 25] = [
    "anthropic",
    "azure",
    "baseten",
    "bedrock",
    "cerebras",
    "chatgpt_oauth",
    "deepseek",
    "fireworks",
    "google_ai",
    "google_vertex",
    "groq",
    "hugging-face",
    "letta",
    "lmstudio_openai",
    "minimax",
    "mistral",
    "ollama",
    "openai",
    "together",
    "vllm",
    "sglang",
    "openrouter",
    "xai",
    "zai",
    "zai_coding",
];

/// The provider's type: its own name where clients know it, else the protocol it speaks, which is
/// what a client needs the type for.
pub fn provider_type(provider_name: Option<&str>, endpoint_type: &str) -> &'static str {
    let known = |name: &str| PROVIDER_TYPES.into_iter().find(|t| *t == name);
    provider_name.and_then(known).or_else(|| known(endpoint_type)).unwrap_or("openai")
}

/// A language model.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Model)]
pub struct ModelDto {
    /// The configuration.
    #[serde(flatten)]
    pub config: LlmConfigDto,
    /// Name that the provider knows.
    pub name: String,
    /// Kind of provider.
    pub provider_type: &'static str,
    /// Always `llm`.
    pub model_type: &'static str,
    /// The largest window it can be used with, in tokens.
    pub max_context_window: i32,
}

impl From<&LlmConfig> for ModelDto {
    fn from(c: &LlmConfig) -> Self {
        let mut config = LlmConfigDto::from(c);
        config.handle = Some(c.handle());
        config.display_name.get_or_insert_with(|| c.model.clone());
        Self {
            name: c.model.clone(),
            provider_type: provider_type(c.provider_name.as_deref(), &c.model_endpoint_type),
            model_type: "llm",
            max_context_window: c.context_window,
            config,
        }
    }
}

/// An embedding model.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = EmbeddingModel)]
pub struct EmbeddingModelDto {
    /// The configuration.
    #[serde(flatten)]
    pub config: EmbeddingConfigDto,
    /// Name that the provider knows.
    pub name: String,
    /// Name for people.
    pub display_name: String,
    /// Kind of provider.
    pub provider_type: &'static str,
    /// Provider, the part of the handle before the slash.
    pub provider_name: String,
    /// Always `embedding`.
    pub model_type: &'static str,
}

impl From<&EmbeddingConfig> for EmbeddingModelDto {
    fn from(c: &EmbeddingConfig) -> Self {
        let handle = c.handle();
        let provider = handle.split('/').next().unwrap_or_default().to_owned();
        let mut config = EmbeddingConfigDto::from(c);
        config.handle = Some(handle);
        Self {
            name: c.embedding_model.clone(),
            display_name: c.embedding_model.clone(),
            provider_type: provider_type(Some(&provider), &c.embedding_endpoint_type),
            provider_name: provider,
            model_type: "embedding",
            config,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_provider_is_of_the_type_it_speaks() {
        assert_eq!(provider_type(Some("ollama"), "openai"), "ollama");
        assert_eq!(provider_type(Some("engram"), "openai"), "openai");
        assert_eq!(provider_type(None, "smoke-signals"), "openai");
    }

    #[test]
    fn a_model_carries_what_both_generations_require() {
        let config = LlmConfig {
            model: "scripted".into(),
            provider_name: Some("engram".into()),
            handle: Some("engram/scripted".into()),
            context_window: 128_000,
            ..LlmConfig::default()
        };
        let wire = serde_json::to_value(ModelDto::from(&config)).expect("plain data");
        for key in ["name", "provider_type", "model", "model_endpoint_type", "context_window", "max_context_window"] {
            assert!(!wire[key].is_null(), "{key}");
        }
        assert_eq!(wire["display_name"], "scripted");
    }
}
