//! Which model an agent gets, from what the request says and what providers offer.

use axum::http::StatusCode;
use engram_domain::{AgentType, EmbeddingConfig, Json, LlmConfig};
use engram_llm::{EMBED_HANDLE, UnknownHandle};
use serde_json::json;

use crate::app::App;
use crate::http::{
    caller::Caller,
    dto::llm::{EmbeddingConfigDto, LlmConfigDto, fold_settings},
    error::ApiError,
};

/// Windows that agents work with by default, in tokens: what the old clients' server gave, and what
/// the newer one did. Larger windows must be asked for.
const OLD_WINDOW: i32 = 32_000;
const NEW_WINDOW: i32 = 128_000;

/// What a request says about the language model.
#[derive(Default)]
pub struct LlmWish<'a> {
    /// `provider/model`.
    pub handle: Option<&'a str>,
    /// A whole configuration; `handle` goes before it.
    pub config: Option<&'a LlmConfigDto>,
    /// `model_settings`.
    pub settings: Option<&'a Json>,
    /// Window, in tokens.
    pub context_window: Option<i32>,
    /// Tokens of one answer.
    pub max_tokens: Option<i32>,
    /// Tokens of reasoning.
    pub max_reasoning_tokens: Option<i32>,
    /// Whether a reasoning model may reason.
    pub reasoning: Option<bool>,
    /// Whether one answer may hold several calls.
    pub parallel_tool_calls: Option<bool>,
}

/// What a request says about the embedding model.
#[derive(Default)]
pub struct EmbeddingWish<'a> {
    /// `provider/model`.
    pub handle: Option<&'a str>,
    /// A whole configuration; `handle` goes before it.
    pub config: Option<&'a EmbeddingConfigDto>,
    /// Tokens of one passage.
    pub chunk_size: Option<i32>,
}

/// Agents that act through tools in every step get their thoughts as an argument of those tools, which
/// clients show as reasoning. Their callers may say otherwise with an `llm_config` of their own. Somebody who listens does
/// not wait for thoughts.
pub fn add_thoughts(llm: &mut LlmConfig, agent_type: AgentType) {
    if agent_type.has_heartbeats() && agent_type != AgentType::VoiceConvoAgent {
        llm.put_inner_thoughts_in_kwargs = Some(true);
    }
}

/// The configuration that is wished for. `present` is the one that an agent has; without it and
/// without a wish, the server's default is taken.
pub async fn llm(
    app: &App,
    caller: Caller,
    wish: &LlmWish<'_>,
    present: Option<&LlmConfig>,
) -> Result<LlmConfig, ApiError> {
    let default = app.settings.models.default_llm.as_deref();
    let cap = app.settings.models.max_context_window.unwrap_or(if caller.is_v1_sdk { NEW_WINDOW } else { OLD_WINDOW });
    let (base, window) = match (wish.handle, wish.config, present) {
        (Some(handle), ..) => offered(app, handle, cap).await?,
        (None, Some(config), present) => {
            let config = LlmConfig::from(config.clone());
            match present.filter(|p| p.handle() == config.handle()) {
                // The same model as before: no question to the provider, which may be away.
                Some(p) => (config, p.context_window.max(1)),
                None => given(app, config).await?,
            }
        }
        (None, None, Some(present)) => {
            // A new window may be as large as the model's own, if its provider says how large that is.
            let window = match wish.context_window {
                Some(_) => app.providers.resolve_model(&present.handle()).await.map(|m| m.context_window).ok(),
                None => None,
            };
            (present.clone(), window.unwrap_or(i32::MAX))
        }
        (None, None, None) => match default {
            Some(handle) => offered(app, handle, cap).await?,
            None => return Err(ApiError::bad_request("Must specify either model or llm_config in request")),
        },
    };
    shape(base, wish, window)
}

/// What a provider offers under this handle, with the default window, and its own largest one.
async fn offered(app: &App, handle: &str, cap: i32) -> Result<(LlmConfig, i32), ApiError> {
    let mut config = app.providers.resolve_model(handle).await.map_err(unknown)?;
    let window = config.context_window;
    config.context_window = window.min(cap);
    Ok((config, window))
}

/// A configuration in the caller's words. Its provider must exist; the rest is taken as it stands.
async fn given(app: &App, mut config: LlmConfig) -> Result<(LlmConfig, i32), ApiError> {
    let known = app.providers.resolve_model(&config.handle()).await.map_err(unknown)?;
    config.handle = known.handle;
    config.provider_name = known.provider_name;
    if config.context_window < 1 {
        config.context_window = known.context_window;
    }
    Ok((config, i32::MAX))
}

/// Folds the single wishes into a configuration. `window` is the largest that may be asked for.
fn shape(mut llm: LlmConfig, wish: &LlmWish<'_>, window: i32) -> Result<LlmConfig, ApiError> {
    if let Some(settings) = wish.settings.filter(|s| !s.is_null()) {
        if !settings.is_object() {
            return Err(ApiError::invalid(&["body", "model_settings"], "expected an object", settings.clone()));
        }
        fold_settings(&mut llm, settings);
    }
    if let Some(limit) = wish.context_window {
        if limit < 1 || limit > window {
            let expected = format!("expected 1 to {window} tokens, the window of {}", llm.handle());
            return Err(ApiError::invalid(&["body", "context_window_limit"], expected, json!(limit)));
        }
        llm.context_window = limit;
    }
    for (member, value) in [("max_tokens", wish.max_tokens), ("max_reasoning_tokens", wish.max_reasoning_tokens)] {
        if let Some(n) = value.filter(|n| *n < 0) {
            return Err(ApiError::invalid(&["body", member], "expected a number of at least 0", json!(n)));
        }
    }
    if let Some(n) = wish.max_tokens {
        llm.max_tokens = Some(n);
    }
    if let Some(n) = wish.max_reasoning_tokens {
        llm.max_reasoning_tokens = n;
    }
    if let Some(on) = wish.reasoning {
        llm.enable_reasoner = Some(on);
    }
    if let Some(on) = wish.parallel_tool_calls {
        llm.parallel_tool_calls = Some(on);
    }
    Ok(llm)
}

/// The embedding configuration that is wished for, else `present`, else the server's default.
pub async fn embedding(
    app: &App,
    wish: &EmbeddingWish<'_>,
    present: Option<&EmbeddingConfig>,
) -> Result<EmbeddingConfig, ApiError> {
    let default = app.settings.models.default_embedding.as_deref().unwrap_or(EMBED_HANDLE);
    let mut config = match (wish.handle, wish.config, present) {
        (Some(handle), ..) => app.providers.resolve_embedding(handle).await.map_err(unknown)?,
        (None, Some(config), present) => {
            let mut config = EmbeddingConfig::from(config.clone());
            if present.is_none_or(|p| p.handle() != config.handle()) {
                config.handle = app.providers.resolve_embedding(&config.handle()).await.map_err(unknown)?.handle;
            }
            config
        }
        (None, None, Some(present)) => present.clone(),
        (None, None, None) => app.providers.resolve_embedding(default).await.map_err(unknown)?,
    };
    if let Some(size) = wish.chunk_size {
        config.embedding_chunk_size = size;
    }
    if config.embedding_chunk_size < 1 {
        let loc = ["body", "embedding_chunk_size"];
        return Err(ApiError::invalid(&loc, "expected at least 1 token", json!(config.embedding_chunk_size)));
    }
    // What the database's vectors can hold.
    if !(1..=16_000).contains(&config.embedding_dim) {
        let loc = ["body", "embedding_config", "embedding_dim"];
        return Err(ApiError::invalid(&loc, "expected 1 to 16000", json!(config.embedding_dim)));
    }
    Ok(config)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unknown(error: UnknownHandle) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, format!("NOT_FOUND: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_wishes_go_over_the_models_own_settings() {
        let base = LlmConfig { model: "m".into(), context_window: 32_000, ..LlmConfig::default() };
        let settings = json!({ "max_output_tokens": 100, "temperature": 0.1 });
        let wish = LlmWish {
            settings: Some(&settings),
            context_window: Some(64_000),
            max_tokens: Some(200),
            reasoning: Some(true),
            ..LlmWish::default()
        };
        let llm = shape(base, &wish, 100_000).expect("it fits");
        assert_eq!((llm.context_window, llm.max_tokens, llm.temperature), (64_000, Some(200), Some(0.1)));
        assert_eq!(llm.enable_reasoner, Some(true));
    }

    #[test]
    fn a_window_larger_than_the_models_is_refused_by_name() {
        let base = LlmConfig { model: "m".into(), handle: Some("p/m".into()), ..LlmConfig::default() };
        let wish = LlmWish { context_window: Some(9_000), ..LlmWish::default() };
        let error = shape(base, &wish, 8_000).expect_err("too large");
        let detail = &error.body()["detail"][0];
        assert_eq!(detail["loc"], json!(["body", "context_window_limit"]));
        assert_eq!(detail["msg"], "expected 1 to 8000 tokens, the window of p/m");
    }
}
