//! OpenAI's chat completions, embeddings and list of models, as many servers speak them.
//!
//! [`request`] writes bodies in one pass from borrowed data; [`reply`] holds the types that answers are
//! read into, tolerant of what servers leave out or spell their own way; [`answer`] puts the pieces of
//! an answer together, streamed or not, with [`calls`] for the tool calls; [`stream`] reads events; [`models`] reads lists.
//!
//! To teach it a server's peculiarity: a member of [`Quirks`], or a test beside the piece that has to bear it.

mod answer;
mod calls;
mod chat;
mod clean;
mod embeddings;
mod halves;
mod lessons;
mod messages;
pub(crate) mod model;
mod models;
#[cfg(test)]
pub(crate) mod properties;
mod quirks;
mod reply;
mod request;
mod shape;
mod stream;
mod tags;
mod vendor;
mod words;

use async_trait::async_trait;
use bytes::Bytes;
use engram_core::ports::{ChatReply, ChatRequest, DeltaSink, LlmError};
use engram_domain::Secret;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, InvalidHeaderValue};

use crate::{catalog::Listed, endpoint::Endpoint, http::Failure, learnt::Learnt, protocol::Protocol};

pub use quirks::{Listing, OpenAiEmbeddings, Quirks};

/// OpenAI's embedding models.
const EMBEDDING_MODELS: [&str; 3] = ["text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002"];

/// OpenAI's protocol as one server speaks it.
pub(crate) struct OpenAi(pub(crate) Quirks);

#[async_trait]
impl Protocol for OpenAi {
    fn headers(&self, key: Option<&Secret>) -> Result<HeaderMap, InvalidHeaderValue> {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }

    fn chat_body(&self, endpoint: &Endpoint, request: &ChatRequest, learnt: &Learnt) -> Result<Bytes, LlmError> {
        request::body(self.0, endpoint.name(), request, learnt)
    }

    fn learn(&self, request: &ChatRequest, words: &str, learnt: &Learnt) -> Option<Learnt> {
        lessons::learn(request, words, learnt)
    }

    async fn chat(
        &self,
        endpoint: &Endpoint,
        request: &ChatRequest,
        body: Bytes,
        sink: Option<&DeltaSink>,
    ) -> Result<ChatReply, Failure> {
        chat::attempt(endpoint, request, body, sink).await
    }

    async fn models(&self, endpoint: &Endpoint) -> Result<Vec<Listed>, Failure> {
        match self.0.listing {
            Listing::Standard => models::standard(endpoint).await,
            Listing::LmStudio => models::lm_studio(endpoint).await,
            Listing::Ollama => models::ollama(endpoint).await,
        }
    }

    fn unlisted_embedding_models(&self, listed: &[Listed]) -> &'static [&'static str] {
        match self.0.openai_embeddings {
            OpenAiEmbeddings::Always => &EMBEDDING_MODELS,
            OpenAiEmbeddings::WithoutList if listed.is_empty() => &EMBEDDING_MODELS,
            OpenAiEmbeddings::WithoutList | OpenAiEmbeddings::Listed => &[],
        }
    }

    async fn embed(
        &self,
        endpoint: &Endpoint,
        model: &str,
        texts: &[String],
        want: Option<usize>,
    ) -> Result<Vec<Vec<f32>>, Failure> {
        embeddings::attempt(self.0, endpoint, model, texts, want).await
    }
}
