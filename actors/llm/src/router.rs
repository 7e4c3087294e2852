//! Which provider a request goes to: the one that its handle names, now.

use std::sync::Arc;

use async_trait::async_trait;
use engram_core::ports::{ChatReply, ChatRequest, DeltaSink, EmbedError, Embedder, Llm, LlmError, LlmErrorKind};
use engram_domain::{EmbeddingConfig, OrgId};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    embed::{self, EMBED_DIM, EMBED_HANDLE},
    providers::BUILT_IN,
    registry::Registry,
    scripted::{SCRIPTED_HANDLE, Scripted},
};

/// Bytes that the built-in model embeds before it lets other tasks run on the thread: some milliseconds. A longer text gets
/// a thread of its own.
const AT_ONCE: usize = 64 * 1024;
/// Long texts that are embedded at once.
static LONG_TEXTS: Semaphore = Semaphore::const_new(2);

/// All that an organization may call; without an organization, what the server's own configuration offers.
pub(crate) struct Router {
    pub(crate) registry: Arc<Registry>,
    pub(crate) organization: Option<OrgId>,
    pub(crate) scripted: Scripted,
}

impl Router {
    fn missing(&self, handle: &str) -> String {
        let visible = self.registry.visible(self.organization);
        let names: Vec<_> = std::iter::once(BUILT_IN).chain(visible.iter().map(|p| p.name())).collect();
        format!(
            "the model '{}' cannot be called: its provider is not configured or does not have it (configured: {})",
            handle.chars().take(200).collect::<String>(),
            names.join(", ")
        )
    }

    async fn answer(&self, request: &ChatRequest, sink: Option<&DeltaSink>) -> Result<ChatReply, LlmError> {
        let handle = request.config.handle();
        if handle == SCRIPTED_HANDLE {
            return self.scripted.chat(request, sink).await;
        }
        let provider = handle.split_once('/').map_or("", |(provider, _)| provider);
        match self.registry.find(self.organization, provider) {
            Some(provider) => provider.chat(request, sink).await,
            None => Err(LlmError::new(LlmErrorKind::UnknownModel, self.missing(&handle))),
        }
    }
}

#[async_trait]
impl Llm for Router {
    async fn chat(
        &self,
        request: ChatRequest,
        sink: Option<DeltaSink>,
        cancel: CancellationToken,
    ) -> Result<ChatReply, LlmError> {
        // Whatever the call waits for (a pause before a retry, the provider), dropping it ends it and closes the
        // connection.
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(LlmError::new(LlmErrorKind::Cancelled, "the call was cancelled")),
            answer = self.answer(&request, sink.as_ref()) => answer,
        }
    }
}

#[async_trait]
impl Embedder for Router {
    async fn embed(&self, config: &EmbeddingConfig, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let handle = config.handle();
        let want = usize::try_from(config.embedding_dim).unwrap_or_default();
        if handle == EMBED_HANDLE {
            return built_in(texts, want).await;
        }
        let (provider, rest) = handle.split_once('/').unwrap_or(("", &handle));
        let Some(provider) = self.registry.find(self.organization, provider) else {
            return Err(EmbedError::UnknownModel(handle));
        };
        let model = if config.embedding_model.is_empty() { rest } else { &config.embedding_model };
        let batch = usize::try_from(config.batch_size).unwrap_or_default();
        provider.embed(model, texts, Some(want), batch).await
    }
}

async fn built_in(texts: &[String], want: usize) -> Result<Vec<Vec<f32>>, EmbedError> {
    if want != EMBED_DIM {
        return Err(EmbedError::Dimensions { got: EMBED_DIM, want });
    }
    let mut out = Vec::with_capacity(texts.len());
    let mut short = 0;
    for text in texts {
        if text.len() > AT_ONCE {
            let text = text.clone();
            // The work goes on when nobody waits for it any more, and keeps its place as long.
            let place = LONG_TEXTS.acquire().await;
            let vector = tokio::task::spawn_blocking(move || {
                let _place = place;
                embed::embed(&text)
            });
            out.push(vector.await.map_err(|error| EmbedError::Provider(format!("engram/embed: {error}")))?);
            continue;
        }
        short += text.len();
        if short > AT_ONCE {
            short = 0;
            tokio::task::yield_now().await;
        }
        out.push(embed::embed(text));
    }
    Ok(out)
}
