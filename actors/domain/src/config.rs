//! Model configurations, as the API shows them and as an agent keeps them.

use serde::{Deserialize, Serialize};

use crate::Json;

/// A model and how to call it. The endpoint is not trusted at call time: the provider that the
/// handle names decides where the request goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LlmConfig {
    /// Name that the provider knows.
    pub model: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// Kind of endpoint, `openai` for everything that speaks its protocol.
    pub model_endpoint_type: String,
    /// Base URL.
    pub model_endpoint: Option<String>,
    /// Provider, the part of the handle before the slash.
    pub provider_name: Option<String>,
    /// `base` or `byok`.
    pub provider_category: Option<String>,
    /// Unused; kept for old clients.
    pub model_wrapper: Option<String>,
    /// Window that the agent works with, in tokens.
    pub context_window: i32,
    /// Whether the thoughts of the model travel as an argument of its tool calls.
    pub put_inner_thoughts_in_kwargs: Option<bool>,
    /// `provider/model`.
    pub handle: Option<String>,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Tokens that the model may write in one answer.
    pub max_tokens: Option<i32>,
    /// Whether a reasoning model may reason.
    pub enable_reasoner: Option<bool>,
    /// How much.
    pub reasoning_effort: Option<String>,
    /// Tokens it may reason with.
    pub max_reasoning_tokens: i32,
    /// Effort of the provider's own scale.
    pub effort: Option<String>,
    /// Penalty on repetition.
    pub frequency_penalty: Option<f64>,
    /// Format of local models.
    pub compatibility_type: Option<String>,
    /// How wordy.
    pub verbosity: Option<String>,
    /// Price class.
    pub tier: Option<String>,
    /// Whether one answer may hold several tool calls.
    pub parallel_tool_calls: Option<bool>,
    /// Shape of the answer.
    pub response_format: Option<Json>,
    /// Whether tool schemas are enforced by the provider.
    pub strict: bool,
}

impl Default for LlmConfig {
    fn default() -> Self {
        Self {
            model: String::new(),
            display_name: None,
            model_endpoint_type: "openai".into(),
            model_endpoint: None,
            provider_name: None,
            provider_category: Some("base".into()),
            model_wrapper: None,
            context_window: 32_000,
            put_inner_thoughts_in_kwargs: Some(false),
            handle: None,
            temperature: None,
            max_tokens: None,
            enable_reasoner: None,
            reasoning_effort: None,
            max_reasoning_tokens: 0,
            effort: None,
            frequency_penalty: None,
            compatibility_type: None,
            verbosity: None,
            tier: None,
            parallel_tool_calls: Some(false),
            response_format: None,
            strict: false,
        }
    }
}

impl LlmConfig {
    /// `provider/model`, put together from the parts where an old agent has no handle.
    pub fn handle(&self) -> String {
        self.handle.clone().unwrap_or_else(|| {
            let provider = self.provider_name.as_deref().unwrap_or(&self.model_endpoint_type);
            format!("{provider}/{}", self.model)
        })
    }
}

/// An embedding model and how to call it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EmbeddingConfig {
    /// Kind of endpoint.
    pub embedding_endpoint_type: String,
    /// Base URL.
    pub embedding_endpoint: Option<String>,
    /// Name that the provider knows.
    pub embedding_model: String,
    /// Numbers in a vector.
    pub embedding_dim: i32,
    /// Tokens of one passage when long texts are cut.
    pub embedding_chunk_size: i32,
    /// `provider/model`.
    pub handle: Option<String>,
    /// Texts in one request.
    pub batch_size: i32,
    /// Azure only.
    pub azure_endpoint: Option<String>,
    /// Azure only.
    pub azure_version: Option<String>,
    /// Azure only.
    pub azure_deployment: Option<String>,
}

impl Default for EmbeddingConfig {
    fn default() -> Self {
        Self {
            embedding_endpoint_type: "openai".into(),
            embedding_endpoint: None,
            embedding_model: String::new(),
            embedding_dim: 1536,
            embedding_chunk_size: 300,
            handle: None,
            batch_size: 32,
            azure_endpoint: None,
            azure_version: None,
            azure_deployment: None,
        }
    }
}

impl EmbeddingConfig {
    /// `provider/model`, put together from the parts where an old agent has no handle.
    pub fn handle(&self) -> String {
        self.handle.clone().unwrap_or_else(|| format!("{}/{}", self.embedding_endpoint_type, self.embedding_model))
    }
}

/// How a context that outgrows its window is compacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CompactionSettings {
    /// Handle of the model that writes the summary; the agent's own when absent.
    pub model: Option<String>,
    /// Settings of that model.
    pub model_settings: Option<Json>,
    /// Instructions for the summary; ours when absent.
    pub prompt: Option<String>,
    /// Whether the summary is acknowledged by the model.
    pub prompt_acknowledgement: Option<bool>,
    /// Characters that the summary may have.
    pub clip_chars: Option<i32>,
    /// `sliding_window`, `all`, `self_compact_sliding_window` or `self_compact_all`.
    pub mode: String,
    /// Share of the window that is emptied by the sliding window.
    pub sliding_window_percentage: f64,
}

impl Default for CompactionSettings {
    fn default() -> Self {
        Self {
            model: None,
            model_settings: None,
            prompt: None,
            prompt_acknowledgement: Some(false),
            clip_chars: Some(50_000),
            mode: "sliding_window".into(),
            sliding_window_percentage: 0.3,
        }
    }
}
