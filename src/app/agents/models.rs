//! Which model an agent gets, from what is wished for and what providers offer.

use engram_domain::{AgentType, EmbeddingConfig, Json, LlmConfig};
use engram_llm::{EMBED_HANDLE, UnknownHandle};
use serde_json::json;

use super::settings::fold_settings;
use crate::app::{App, Error, Result, archives::embedding::CHUNK_SIZES};

/// Tokens that a window may have: more than any model has. What is in context is held in memory, and counted.
const LARGEST_WINDOW: i32 = 10_000_000;

/// What is said about the language model. Absent members: as the agent has it, or the server's default.
#[derive(Debug, Clone, Default)]
pub struct LlmWish {
    /// `provider/model`.
    pub handle: Option<String>,
    /// A whole configuration; `handle` goes before it.
    pub config: Option<LlmConfig>,
    /// Window, in tokens.
    pub context_window: Option<i32>,
    /// The largest window that is given without being asked for, in tokens, where the server's settings do not say one.
    pub usual_window: Option<i32>,
    /// Tokens of one answer.
    pub max_tokens: Option<i32>,
    /// Tokens of reasoning.
    pub max_reasoning_tokens: Option<i32>,
    /// Whether a reasoning model may reason.
    pub reasoning: Option<bool>,
    /// Whether one answer may hold several calls.
    pub parallel_tool_calls: Option<bool>,
}

/// What is said about the embedding model. Absent members: as the agent has it, or the server's default.
#[derive(Debug, Clone, Default)]
pub struct EmbeddingWish {
    /// `provider/model`.
    pub handle: Option<String>,
    /// A whole configuration; `handle` goes before it.
    pub config: Option<EmbeddingConfig>,
    /// Tokens of one passage.
    pub chunk_size: Option<i32>,
}

/// Agents that act through tools in every step get their thoughts as an argument of those tools, which clients show as
/// reasoning. Their callers may say otherwise with an `llm_config` of their own. Somebody who listens does not wait for
/// thoughts.
pub fn add_thoughts(llm: &mut LlmConfig, agent_type: AgentType) {
    if agent_type.has_heartbeats() && agent_type != AgentType::VoiceConvoAgent {
        llm.put_inner_thoughts_in_kwargs = Some(true);
    }
}

/// The configuration that is wished for. `settings` are `model_settings`; `present` is the configuration that an agent
/// has; without it and without a wish, the server's default is taken.
pub async fn language(
    app: &App,
    wish: &LlmWish,
    settings: Option<&Json>,
    present: Option<&LlmConfig>,
) -> Result<LlmConfig> {
    let default = app.settings.models.default_llm.as_deref();
    let cap = app.settings.models.max_context_window.or(wish.usual_window).unwrap_or(i32::MAX);
    let (base, window) = match (wish.handle.as_deref(), &wish.config, present) {
        (Some(handle), ..) => offered(app, handle, cap).await?,
        (None, Some(config), present) => {
            let config = config.clone();
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
            None => return Err(Error::Rejected("Must specify either model or llm_config in request".into())),
        },
    };
    shape(base, wish, settings, window.min(LARGEST_WINDOW))
}

/// What a provider offers under this handle, with the default window, and its own largest one.
async fn offered(app: &App, handle: &str, cap: i32) -> Result<(LlmConfig, i32)> {
    let mut config = app.providers.resolve_model(handle).await.map_err(unknown)?;
    let window = config.context_window;
    config.context_window = window.min(cap);
    Ok((config, window))
}

/// A configuration in the caller's words. Its provider must exist; the rest is taken as it stands.
async fn given(app: &App, mut config: LlmConfig) -> Result<(LlmConfig, i32)> {
    let known = app.providers.resolve_model(&config.handle()).await.map_err(unknown)?;
    config.handle = known.handle;
    config.provider_name = known.provider_name;
    if config.context_window < 1 {
        config.context_window = known.context_window;
    }
    if config.context_window > LARGEST_WINDOW {
        let expected = format!("expected at most {LARGEST_WINDOW} tokens");
        return Err(Error::invalid(&["llm_config", "context_window"], expected, json!(config.context_window)));
    }
    Ok((config, i32::MAX))
}

/// Folds the single wishes into a configuration. `window` is the largest that may be asked for.
fn shape(mut llm: LlmConfig, wish: &LlmWish, settings: Option<&Json>, window: i32) -> Result<LlmConfig> {
    if let Some(settings) = settings.filter(|s| !s.is_null()) {
        if !settings.is_object() {
            return Err(Error::invalid(&["model_settings"], "expected an object", settings.clone()));
        }
        fold_settings(&mut llm, settings);
    }
    if let Some(limit) = wish.context_window {
        if limit < 1 || limit > window {
            let expected = format!("expected 1 to {window} tokens, the window of {}", llm.handle());
            return Err(Error::invalid(&["context_window_limit"], expected, json!(limit)));
        }
        llm.context_window = limit;
    }
    for (member, value) in [("max_tokens", wish.max_tokens), ("max_reasoning_tokens", wish.max_reasoning_tokens)] {
        if let Some(n) = value.filter(|n| *n < 0) {
            return Err(Error::invalid(&[member], "expected a number of at least 0", json!(n)));
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
pub async fn embedding(app: &App, wish: &EmbeddingWish, present: Option<&EmbeddingConfig>) -> Result<EmbeddingConfig> {
    let default = app.settings.models.default_embedding.as_deref().unwrap_or(EMBED_HANDLE);
    let mut config = match (wish.handle.as_deref(), &wish.config, present) {
        (Some(handle), ..) => app.providers.resolve_embedding(handle).await.map_err(unknown)?,
        (None, Some(config), present) => {
            let mut config = config.clone();
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
    check_chunk_size(wish, &config)?;
    // What the database's vectors can hold.
    if !(1..=16_000).contains(&config.embedding_dim) {
        let path = ["embedding_config", "embedding_dim"];
        return Err(Error::invalid(&path, "expected 1 to 16000", json!(config.embedding_dim)));
    }
    Ok(config)
}

/// What a caller asked for; what an agent has was checked when it came.
fn check_chunk_size(wish: &EmbeddingWish, config: &EmbeddingConfig) -> Result<()> {
    if (wish.chunk_size.is_none() && wish.config.is_none()) || CHUNK_SIZES.contains(&config.embedding_chunk_size) {
        return Ok(());
    }
    let expected = format!("expected {} to {} tokens", CHUNK_SIZES.start(), CHUNK_SIZES.end());
    let path: &[&str] = match wish.chunk_size {
        Some(_) => &["embedding_chunk_size"],
        None => &["embedding_config", "embedding_chunk_size"],
    };
    Err(Error::invalid(path, expected, json!(config.embedding_chunk_size)))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unknown(error: UnknownHandle) -> Error {
    Error::NoSuch(format!("NOT_FOUND: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::error::testing::refused;

    #[test]
    fn single_wishes_go_over_the_models_own_settings() {
        let base = LlmConfig { model: "m".into(), context_window: 32_000, ..LlmConfig::default() };
        let settings = json!({ "max_output_tokens": 100, "temperature": 0.1 });
        let wish = LlmWish {
            context_window: Some(64_000),
            max_tokens: Some(200),
            reasoning: Some(true),
            ..LlmWish::default()
        };
        let llm = shape(base, &wish, Some(&settings), 100_000).expect("it fits");
        assert_eq!((llm.context_window, llm.max_tokens, llm.temperature), (64_000, Some(200), Some(0.1)));
        assert_eq!(llm.enable_reasoner, Some(true));
    }

    #[test]
    fn a_passage_has_a_sensible_size() {
        let check = |size, single| {
            let config = EmbeddingConfig { embedding_chunk_size: size, ..EmbeddingConfig::default() };
            let wish = if single {
                EmbeddingWish { chunk_size: Some(size), ..EmbeddingWish::default() }
            } else {
                EmbeddingWish { config: Some(config.clone()), ..EmbeddingWish::default() }
            };
            check_chunk_size(&wish, &config)
        };
        assert!(check(16, true).is_ok() && check(32_768, false).is_ok());
        for size in [i32::MIN, 0, 1, 15, 32_769, i32::MAX] {
            let expected = "expected 16 to 32768 tokens".to_owned();
            assert_eq!(refused(check(size, true)), ("embedding_chunk_size".into(), expected.clone()));
            assert_eq!(refused(check(size, false)), ("embedding_config.embedding_chunk_size".into(), expected));
        }
    }

    #[test]
    fn a_window_larger_than_the_models_is_refused_by_name() {
        let base = LlmConfig { model: "m".into(), handle: Some("p/m".into()), ..LlmConfig::default() };
        let wish = LlmWish { context_window: Some(9_000), ..LlmWish::default() };
        let (path, expected) = refused(shape(base, &wish, None, 8_000));
        assert_eq!(path, "context_window_limit");
        assert_eq!(expected, "expected 1 to 8000 tokens, the window of p/m");
    }
}
