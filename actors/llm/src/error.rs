//! Errors of this crate's own surface. Failed calls are `LlmError` and `EmbedError` of the ports.

/// A handle that no provider offers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Handle {handle} not found, must be one of [{}]", known.join(", "))]
pub struct UnknownHandle {
    /// What was asked for.
    pub handle: String,
    /// What there is: sorted, at most [`UnknownHandle::SHOWN`] of them.
    pub known: Vec<String>,
}

impl UnknownHandle {
    /// Handles that the message names at most; some providers have hundreds.
    pub const SHOWN: usize = 100;

    pub(crate) fn new(handle: &str, mut known: Vec<String>) -> Self {
        known.sort_unstable();
        known.truncate(Self::SHOWN);
        Self { handle: handle.chars().take(200).collect(), known }
    }
}

/// A provider that cannot work as it is configured. Found when it is added, so that whoever adds it hears of it instead of the
/// agents that use it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// An address that is not one.
    #[error("the base URL of provider '{provider}' must be an http(s) address such as {example}: {problem}")]
    BaseUrl {
        /// The provider.
        provider: String,
        /// What it may look like.
        example: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A key with characters that no HTTP header may carry.
    #[error("the API key of provider '{0}' has characters that cannot be sent; expected printable ASCII")]
    Key(String),
    /// TLS or the resolver could not be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}
