//! Turning text into vectors.

use async_trait::async_trait;
use engram_domain::EmbeddingConfig;

/// Why a text could not be embedded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EmbedError {
    /// No such model.
    #[error("no embedding model '{0}' is configured")]
    UnknownModel(String),
    /// The provider refused or failed.
    #[error("the embedding provider failed: {0}")]
    Provider(String),
    /// A text is longer than the model takes.
    #[error("text {} is too long for the embedding model: {why}", index + 1)]
    TooLong {
        /// Its place among the texts, from 0.
        index: usize,
        /// What the provider said.
        why: String,
    },
    /// The vectors do not have the length that the archive was made with.
    #[error("the embedding model returned {got} numbers, the archive needs {want}")]
    Dimensions {
        /// What came.
        got: usize,
        /// What was needed.
        want: usize,
    },
}

/// Embeds texts.
#[async_trait]
pub trait Embedder: Send + Sync + 'static {
    /// One unit vector of `config.embedding_dim` numbers for each text, in order.
    ///
    /// Retries, the time of one attempt and the number of requests at once are the implementation's: there is nobody
    /// between it and its callers. A caller with a limit of its own drops the future.
    async fn embed(&self, config: &EmbeddingConfig, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError>;
}
