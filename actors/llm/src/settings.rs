//! What the binary tells this crate about providers.

use std::{collections::BTreeMap, fmt, time::Duration};

use engram_domain::Secret;

use crate::ProtocolSpec;

/// A provider as it is configured.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderSpec {
    /// What stands before the slash of its handles.
    pub name: String,
    /// Other names that handles may call it by. It is listed under its `name`.
    pub aliases: Vec<String>,
    /// The address that the paths of its protocol are appended to.
    pub base_url: String,
    /// Its key; none for a server that wants none.
    pub key: Option<Secret>,
    /// What it speaks.
    pub protocol: ProtocolSpec,
}

impl fmt::Debug for ProviderSpec {
    /// Without the address: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderSpec")
            .field("name", &self.name)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// Limits of all providers, and what is known of their models beforehand.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
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
    /// Requests for embeddings under way at once at one provider; the others wait in a queue. Each provider has
    /// its own, so that a slow provider delays only its own requests. How many chats there are at once is up to their caller. 256.
    pub max_embed_requests: usize,
    /// Window, in tokens, of a model whose endpoint does not say and that no table knows. 128,000.
    pub unknown_context_window: i32,
    /// Windows, in tokens, by handle (`vllm/my-model`); stronger than what endpoints say.
    pub context_window_overrides: BTreeMap<String, i32>,
}

impl Default for ProviderSettings {
    fn default() -> Self {
        Self {
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
