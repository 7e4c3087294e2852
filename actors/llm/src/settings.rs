//! What the binary tells this crate about providers.

use std::{collections::BTreeMap, time::Duration};

use crate::Secret;

/// Providers and limits. A provider exists when its key or its address is given; the two built-in
/// models always exist.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// `OPENAI_API_KEY`.
    pub openai_api_key: Option<Secret>,
    /// `OPENAI_BASE_URL` or `OPENAI_API_BASE`, with its `/v1`. Given alone it is used without a key.
    pub openai_base_url: Option<String>,
    /// `DEEPSEEK_API_KEY`.
    pub deepseek_api_key: Option<Secret>,
    /// `XAI_API_KEY`.
    pub xai_api_key: Option<Secret>,
    /// `GROQ_API_KEY`.
    pub groq_api_key: Option<Secret>,
    /// `TOGETHER_API_KEY`.
    pub together_api_key: Option<Secret>,
    /// `OPENROUTER_API_KEY`.
    pub openrouter_api_key: Option<Secret>,
    /// `VLLM_API_BASE`, with or without `/v1`.
    pub vllm_base: Option<String>,
    /// `VLLM_API_KEY`, for servers started with one.
    pub vllm_api_key: Option<Secret>,
    /// `OLLAMA_BASE_URL`, with or without `/v1`.
    pub ollama_base: Option<String>,
    /// `LMSTUDIO_BASE_URL`, with or without `/v1`.
    pub lmstudio_base: Option<String>,

    /// To open a connection. 10 s.
    pub connect_timeout: Duration,
    /// The longest pause inside a streamed answer. 60 s. How long a whole chat may take is up to its caller.
    pub stream_idle_timeout: Duration,
    /// For one attempt to embed a batch of texts. 180 s.
    pub embed_timeout: Duration,
    /// For a list of models. 5 s.
    pub list_timeout: Duration,
    /// Attempts after the first, on 429, 5xx and broken connections. 3.
    pub max_retries: u32,
    /// Requests for embeddings under way at once at one provider; the others wait in line. Each provider has its
    /// own line, so that a slow one holds nobody else up. How many chats there are at once is up to their caller. 256.
    pub max_embed_requests: usize,
    /// Window, in tokens, of a model whose endpoint does not say and that no table knows. 128,000.
    pub unknown_context_window: i32,
    /// Windows, in tokens, by handle (`vllm/my-model`); stronger than what endpoints say.
    pub context_window_overrides: BTreeMap<String, i32>,
}

impl Default for ProviderSettings {
    fn default() -> Self {
        Self {
            openai_api_key: None,
            openai_base_url: None,
            deepseek_api_key: None,
            xai_api_key: None,
            groq_api_key: None,
            together_api_key: None,
            openrouter_api_key: None,
            vllm_base: None,
            vllm_api_key: None,
            ollama_base: None,
            lmstudio_base: None,
            connect_timeout: Duration::from_secs(10),
            stream_idle_timeout: Duration::from_mins(1),
            embed_timeout: Duration::from_mins(3),
            list_timeout: Duration::from_secs(5),
            max_retries: 3,
            max_embed_requests: 256,
            unknown_context_window: 128_000,
            context_window_overrides: BTreeMap::new(),
        }
    }
}
