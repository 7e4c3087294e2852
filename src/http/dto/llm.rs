//! Model configurations on the wire: `llm_config`, `embedding_config` and `model_settings`.
//!
//! One shape serves both client generations: every member of either is always present.

use engram_domain::{EmbeddingConfig, Json, LlmConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// Values of `model_settings.provider_type` that the 1.x clients know.
const SETTINGS_PROVIDERS: [&str; 15] = [
    "openai",
    "sglang",
    "anthropic",
    "google_ai",
    "google_vertex",
    "azure",
    "xai",
    "zai",
    "groq",
    "deepseek",
    "together",
    "bedrock",
    "baseten",
    "openrouter",
    "chatgpt_oauth",
];

/// A model and how it is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = LLMConfig)]
pub struct LlmConfigDto {
    /// Name that the provider knows.
    pub model: String,
    /// Name for people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Kind of endpoint; `openai` for everything that speaks its protocol.
    pub model_endpoint_type: String,
    /// Base URL.
    #[serde(default)]
    pub model_endpoint: Option<String>,
    /// Provider, the part of the handle before the slash.
    #[serde(default)]
    pub provider_name: Option<String>,
    /// `base` or `byok`.
    #[serde(default)]
    pub provider_category: Option<String>,
    /// Unused; kept for old clients.
    #[serde(default)]
    pub model_wrapper: Option<String>,
    /// Window that the agent works with, in tokens.
    pub context_window: i32,
    /// Whether thoughts travel as an argument of tool calls.
    #[serde(default)]
    pub put_inner_thoughts_in_kwargs: Option<bool>,
    /// `provider/model`.
    #[serde(default)]
    pub handle: Option<String>,
    /// Sampling temperature.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// Tokens that the model may write in one answer.
    #[serde(default)]
    pub max_tokens: Option<i32>,
    /// Whether a reasoning model may reason.
    #[serde(default)]
    pub enable_reasoner: Option<bool>,
    /// How much.
    #[serde(default)]
    pub reasoning_effort: Option<String>,
    /// Tokens it may reason with.
    #[serde(default)]
    pub max_reasoning_tokens: Option<i32>,
    /// Effort on the provider's own scale.
    #[serde(default)]
    pub effort: Option<String>,
    /// Penalty on repetition.
    #[serde(default)]
    pub frequency_penalty: Option<f64>,
    /// Format of local models.
    #[serde(default)]
    pub compatibility_type: Option<String>,
    /// How wordy.
    #[serde(default)]
    pub verbosity: Option<String>,
    /// Price class.
    #[serde(default)]
    pub tier: Option<String>,
    /// Whether one answer may hold several tool calls.
    #[serde(default)]
    pub parallel_tool_calls: Option<bool>,
    /// Shape of the answer.
    #[serde(default)]
    pub response_format: Option<Json>,
    /// Whether the provider enforces tool schemas.
    #[serde(default)]
    pub strict: Option<bool>,
    /// Always false: log probabilities are not asked for.
    #[serde(default)]
    pub return_logprobs: Option<bool>,
    /// Always null.
    #[serde(default)]
    pub top_logprobs: Option<i32>,
    /// Always false.
    #[serde(default)]
    pub return_token_ids: Option<bool>,
    /// Always null.
    #[serde(default)]
    pub tool_call_parser: Option<String>,
}

impl From<&LlmConfig> for LlmConfigDto {
    fn from(c: &LlmConfig) -> Self {
        let c = c.clone();
        Self {
            model: c.model,
            display_name: c.display_name,
            model_endpoint_type: c.model_endpoint_type,
            model_endpoint: c.model_endpoint,
            provider_name: c.provider_name,
            provider_category: c.provider_category,
            model_wrapper: c.model_wrapper,
            context_window: c.context_window,
            put_inner_thoughts_in_kwargs: c.put_inner_thoughts_in_kwargs,
            handle: c.handle,
            temperature: c.temperature,
            max_tokens: c.max_tokens,
            enable_reasoner: c.enable_reasoner,
            reasoning_effort: c.reasoning_effort,
            max_reasoning_tokens: Some(c.max_reasoning_tokens),
            effort: c.effort,
            frequency_penalty: c.frequency_penalty,
            compatibility_type: c.compatibility_type,
            verbosity: c.verbosity,
            tier: c.tier,
            parallel_tool_calls: c.parallel_tool_calls,
            response_format: c.response_format,
            strict: Some(c.strict),
            return_logprobs: Some(false),
            top_logprobs: None,
            return_token_ids: Some(false),
            tool_call_parser: None,
        }
    }
}

impl From<LlmConfigDto> for LlmConfig {
    fn from(d: LlmConfigDto) -> Self {
        Self {
            model: d.model,
            display_name: d.display_name,
            model_endpoint_type: d.model_endpoint_type,
            model_endpoint: d.model_endpoint,
            provider_name: d.provider_name,
            provider_category: d.provider_category,
            model_wrapper: d.model_wrapper,
            context_window: d.context_window,
            put_inner_thoughts_in_kwargs: d.put_inner_thoughts_in_kwargs,
            handle: d.handle,
            temperature: d.temperature,
            max_tokens: d.max_tokens,
            enable_reasoner: d.enable_reasoner,
            reasoning_effort: d.reasoning_effort,
            max_reasoning_tokens: d.max_reasoning_tokens.unwrap_or(0),
            effort: d.effort,
            frequency_penalty: d.frequency_penalty,
            compatibility_type: d.compatibility_type,
            verbosity: d.verbosity,
            tier: d.tier,
            parallel_tool_calls: d.parallel_tool_calls,
            response_format: d.response_format,
            strict: d.strict.unwrap_or(false),
        }
    }
}

/// An embedding model and how it is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = EmbeddingConfig)]
pub struct EmbeddingConfigDto {
    /// Kind of endpoint.
    pub embedding_endpoint_type: String,
    /// Base URL.
    #[serde(default)]
    pub embedding_endpoint: Option<String>,
    /// Name that the provider knows.
    pub embedding_model: String,
    /// Numbers in a vector.
    pub embedding_dim: i32,
    /// Tokens of one passage when long texts are cut.
    #[serde(default)]
    pub embedding_chunk_size: Option<i32>,
    /// `provider/model`.
    #[serde(default)]
    pub handle: Option<String>,
    /// Texts in one request.
    #[serde(default)]
    pub batch_size: Option<i32>,
    /// Azure only.
    #[serde(default)]
    pub azure_endpoint: Option<String>,
    /// Azure only.
    #[serde(default)]
    pub azure_version: Option<String>,
    /// Azure only.
    #[serde(default)]
    pub azure_deployment: Option<String>,
}

impl From<&EmbeddingConfig> for EmbeddingConfigDto {
    fn from(c: &EmbeddingConfig) -> Self {
        let c = c.clone();
        Self {
            embedding_endpoint_type: c.embedding_endpoint_type,
            embedding_endpoint: c.embedding_endpoint,
            embedding_model: c.embedding_model,
            embedding_dim: c.embedding_dim,
            embedding_chunk_size: Some(c.embedding_chunk_size),
            handle: c.handle,
            batch_size: Some(c.batch_size),
            azure_endpoint: c.azure_endpoint,
            azure_version: c.azure_version,
            azure_deployment: c.azure_deployment,
        }
    }
}

impl From<EmbeddingConfigDto> for EmbeddingConfig {
    fn from(d: EmbeddingConfigDto) -> Self {
        let default = Self::default();
        Self {
            embedding_endpoint_type: d.embedding_endpoint_type,
            embedding_endpoint: d.embedding_endpoint,
            embedding_model: d.embedding_model,
            embedding_dim: d.embedding_dim,
            embedding_chunk_size: d.embedding_chunk_size.unwrap_or(default.embedding_chunk_size),
            handle: d.handle,
            batch_size: d.batch_size.unwrap_or(default.batch_size),
            azure_endpoint: d.azure_endpoint,
            azure_version: d.azure_version,
            azure_deployment: d.azure_deployment,
        }
    }
}

/// `model_settings` as the 1.x clients expect it: what the caller sent, completed with what the
/// model configuration says.
pub fn model_settings(llm: &LlmConfig, sent: Option<&Json>) -> Json {
    let provider = SETTINGS_PROVIDERS.into_iter().find(|p| *p == llm.model_endpoint_type).unwrap_or("openai");
    let mut out = json!({
        "provider_type": provider,
        "max_output_tokens": llm.max_tokens.unwrap_or(4096),
        "parallel_tool_calls": llm.parallel_tool_calls.unwrap_or(false),
        "temperature": llm.temperature.unwrap_or(1.0),
        "response_format": llm.response_format,
        "strict": llm.strict,
    });
    if provider == "openai"
        && let Some(effort) = &llm.reasoning_effort
    {
        out["reasoning"] = json!({ "reasoning_effort": effort });
    }
    if let (Some(out), Some(Json::Object(sent))) = (out.as_object_mut(), sent) {
        // The caller's word stands where it was one; what was folded in since is the newer word.
        for (key, value) in sent {
            if !out.contains_key(key) || key == "provider_type" {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::agents::settings::fold_settings;

    #[test]
    fn settings_are_folded_in_and_come_back() {
        let mut llm = LlmConfig { model: "m".into(), handle: Some("openai/m".into()), ..LlmConfig::default() };
        let sent = json!({
            "provider_type": "openai", "max_output_tokens": 512, "temperature": 0.25, "strict": true,
            "reasoning": { "reasoning_effort": "low" }, "parallel_tool_calls": true,
        });
        fold_settings(&mut llm, &sent);
        assert_eq!((llm.max_tokens, llm.temperature, llm.strict), (Some(512), Some(0.25), true));
        insta::assert_json_snapshot!(model_settings(&llm, Some(&sent)), @r#"
        {
          "provider_type": "openai",
          "max_output_tokens": 512,
          "parallel_tool_calls": true,
          "temperature": 0.25,
          "response_format": null,
          "strict": true,
          "reasoning": {
            "reasoning_effort": "low"
          }
        }
        "#);
    }

    #[test]
    fn a_config_that_was_read_can_be_sent_back() {
        let llm = LlmConfig { model: "m".into(), temperature: Some(0.5), ..LlmConfig::default() };
        let wire = serde_json::to_value(LlmConfigDto::from(&llm)).expect("plain data");
        let back: LlmConfigDto = serde_json::from_value(wire).expect("the same shape");
        assert_eq!(LlmConfig::from(back), llm);

        let missing = serde_json::from_value::<LlmConfigDto>(json!({ "model": "m" }));
        assert!(missing.unwrap_err().to_string().contains("model_endpoint_type"));
    }
}
