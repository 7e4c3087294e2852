//! What a provider speaks.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use engram_core::ports::{ChatReply, ChatRequest, DeltaSink, LlmError, LlmErrorKind};
use engram_domain::Secret;
use reqwest::header::{HeaderMap, InvalidHeaderValue};

use crate::{
    catalog::Listed,
    endpoint::Endpoint,
    http::Failure,
    learnt::Learnt,
    openai::{OpenAi, Quirks},
};

/// The protocol of a provider with what this provider needs to be told about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolSpec {
    /// OpenAI's chat completions, embeddings and list of models.
    OpenAi(Quirks),
}

impl ProtocolSpec {
    pub(crate) fn build(self) -> Arc<dyn Protocol> {
        match self {
            Self::OpenAi(quirks) => Arc::new(OpenAi(quirks)),
        }
    }
}

/// Translates between the ports and what a provider says over HTTP. One call is one attempt: retries, places in line,
/// batches and the lengths of vectors are the caller's ([`Provider`](crate::provider::Provider)), connections and limits
/// of size the [`Endpoint`]'s. A protocol keeps no state between calls.
#[async_trait]
pub(crate) trait Protocol: Send + Sync + 'static {
    /// Headers of every request, the key among them. What depends on a request (a signature) is added where the request
    /// is made.
    ///
    /// # Errors
    /// A key that no header can carry.
    fn headers(&self, key: Option<&Secret>) -> Result<HeaderMap, InvalidHeaderValue>;

    /// Words of this protocol, in lower case, that decide what kind of error a refusal is, before its status does.
    fn error_words(&self) -> &'static [(&'static str, LlmErrorKind)] {
        &[]
    }

    /// The body of a chat request, without what was learnt to be refused. Written once and sent by every attempt.
    ///
    /// # Errors
    /// A request that this protocol cannot express.
    fn chat_body(&self, endpoint: &Endpoint, request: &ChatRequest, learnt: &Learnt) -> Result<Bytes, LlmError>;

    /// What is known of a model after it refused a request in these words (in lower case), if they say what must be
    /// different; none when the same request would be all that is left to try.
    fn learn(&self, _request: &ChatRequest, _words: &str, _learnt: &Learnt) -> Option<Learnt> {
        None
    }

    /// Sends the body and reads the whole answer; pieces go to `sink` as they arrive. A failure after the first piece says
    /// that it may not be tried again.
    async fn chat(
        &self,
        endpoint: &Endpoint,
        request: &ChatRequest,
        body: Bytes,
        sink: Option<&DeltaSink>,
    ) -> Result<ChatReply, Failure>;

    /// The provider's models.
    async fn models(&self, endpoint: &Endpoint) -> Result<Vec<Listed>, Failure>;

    /// Embedding models that the provider has although it does not list them.
    fn unlisted_embedding_models(&self, _listed: &[Listed]) -> &'static [&'static str] {
        &[]
    }

    /// One vector for each text, in their order. `want` is the length of a vector, none when it is to be found out. A
    /// protocol without embeddings leaves this out.
    async fn embed(
        &self,
        endpoint: &Endpoint,
        model: &str,
        _texts: &[String],
        _want: Option<usize>,
    ) -> Result<Vec<Vec<f32>>, Failure> {
        let message = format!("{} has no embeddings, so '{model}' cannot embed", endpoint.name());
        Err(Failure::last(LlmErrorKind::UnknownModel, message))
    }
}
