//! A provider: an endpoint, what is spoken there, and what was learnt of its models.

use std::{collections::HashMap, slice, sync::Arc};

use engram_core::ports::{ChatReply, ChatRequest, DeltaSink, EmbedError, Ids, LlmError, LlmErrorKind};
use engram_domain::OrgId;
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt, stream};
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::{
    ProviderSettings, ProviderSpec, SetupError,
    catalog::{self, ListCache, Listed, Use},
    embed::normalize,
    endpoint::Endpoint,
    http::{Failure, with_retries},
    learnt::{Learnt, MOST_LESSONS, Memory},
    protocol::Protocol,
};

/// The length that is assumed of vectors of a model that nothing is known of and that could not be asked.
pub(crate) const USUAL_DIM: i32 = 1_536;
/// Requests for embeddings of one call under way at once.
const AT_ONCE: usize = 4;
/// Texts that one request for embeddings carries at most.
const MAX_BATCH: usize = 2_048;

/// One configured provider. Never changed: another configuration is another provider, and calls that are running keep
/// the one that they began with.
pub(crate) struct Provider {
    /// Whose it is; none for the server's own, which all organizations may use.
    pub(crate) organization: Option<OrgId>,
    pub(crate) endpoint: Endpoint,
    pub(crate) protocol: Arc<dyn Protocol>,
    pub(crate) list: ListCache,
    aliases: Vec<String>,
    /// What its models have refused, and what is done about it.
    learnt: Memory,
    /// Vector lengths of embedding models that were found out by asking.
    dims: Mutex<HashMap<String, i32>>,
}

impl Provider {
    /// As [`Endpoint::new`].
    pub(crate) fn new(
        spec: ProviderSpec,
        organization: Option<OrgId>,
        settings: &ProviderSettings,
        ids: &Arc<dyn Ids>,
    ) -> Result<Self, SetupError> {
        let protocol = spec.protocol.build();
        let endpoint = Endpoint::new(&spec, &*protocol, settings, ids)?;
        Ok(Self {
            organization,
            endpoint,
            protocol,
            list: ListCache::default(),
            aliases: spec.aliases,
            learnt: Memory::default(),
            dims: Mutex::default(),
        })
    }

    /// The name it is listed under.
    pub(crate) fn name(&self) -> &str {
        self.endpoint.name()
    }

    pub(crate) fn has_alias(&self, name: &str) -> bool {
        self.aliases.iter().any(|alias| alias == name)
    }

    /// Sends a request, again where that may help, and reads the whole answer. A refusal that says what must be different
    /// is answered with a request that is. Dropping the future closes the connection.
    pub(crate) async fn chat(&self, request: &ChatRequest, sink: Option<&DeltaSink>) -> Result<ChatReply, LlmError> {
        let sink = sink.filter(|_| request.stream);
        let model = request.config.handle();
        let known = self.learnt.of(&model);
        let mut learnt = Arc::clone(&known);
        let mut lessons = 0;
        loop {
            let body = self.protocol.chat_body(&self.endpoint, request, &learnt)?;
            let lesson: Mutex<Option<Learnt>> = Mutex::default();
            let attempt = || {
                let attempt = self.protocol.chat(&self.endpoint, request, body.clone(), sink);
                attempt.map_err(|failure| {
                    let better = (lessons < MOST_LESSONS).then(|| self.learn(request, &failure, &learnt)).flatten();
                    let retry = failure.retry && better.is_none();
                    *lesson.lock() = better;
                    Failure { retry, ..failure }
                })
            };
            match (with_retries(&self.endpoint, attempt).await, lesson.into_inner()) {
                (Err(error), Some(better)) => {
                    tracing::debug!(provider = self.name(), model, %error, "a request was refused and is changed");
                    learnt = Arc::new(better);
                    lessons += 1;
                }
                (Ok(reply), _) => {
                    if learnt != known {
                        tracing::info!(provider = self.name(), model, "a model takes less than usual: remembered");
                        self.learnt.keep(&model, learnt);
                    }
                    return Ok(reply);
                }
                (Err(error), None) => return Err(error),
            }
        }
    }

    fn learn(&self, request: &ChatRequest, failure: &Failure, learnt: &Learnt) -> Option<Learnt> {
        use LlmErrorKind as K;
        // Some local servers call a request that they do not take their own failure, some proxies an unknown model.
        let refused = matches!(failure.error.kind, K::BadRequest | K::Unexplained | K::Server | K::UnknownModel);
        if !refused || failure.words.is_empty() {
            return None;
        }
        self.protocol.learn(request, &failure.words, learnt)
    }

    /// Embeds texts in batches; `want` is the length of a vector, none when it is to be found out.
    pub(crate) async fn embed(
        &self,
        model: &str,
        texts: &[String],
        want: Option<usize>,
        batch_size: usize,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        // Boxed: a stream of futures that borrow is not provably `Send` for every lifetime.
        let size = batch_size.clamp(1, MAX_BATCH);
        let batches = texts.chunks(size).enumerate();
        let batches = batches.map(|(n, texts)| self.embed_batch(model, n * size, texts, want).boxed());
        let batches: Vec<_> = batches.collect();
        let all: Vec<_> = stream::iter(batches).buffered(AT_ONCE).try_collect().await?;
        Ok(all.into_iter().flatten().collect())
    }

    /// Embeds the texts of one batch; `first` is the place of its first text among all. A batch that is too long together
    /// is halved until it is not, and only a text that is too long by itself is an error.
    async fn embed_batch(
        &self,
        model: &str,
        first: usize,
        texts: &[String],
        want: Option<usize>,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut vectors = Vec::with_capacity(texts.len());
        let mut open = vec![texts];
        while let Some(texts) = open.pop() {
            let error = match with_retries(&self.endpoint, || self.try_embed(model, texts, want)).await {
                Ok(more) => {
                    vectors.extend(more);
                    continue;
                }
                Err(error) => error,
            };
            match error.kind {
                LlmErrorKind::ContextOverflow if texts.len() > 1 => {
                    let (left, right) = texts.split_at(texts.len() / 2);
                    open.extend([right, left]);
                }
                LlmErrorKind::ContextOverflow => {
                    return Err(EmbedError::TooLong { index: first + vectors.len(), why: error.message });
                }
                LlmErrorKind::UnknownModel => {
                    return Err(EmbedError::UnknownModel(format!("{}/{model}", self.name())));
                }
                _ => return Err(EmbedError::Provider(error.message)),
            }
        }
        for vector in &mut vectors {
            if let Some(want) = want.filter(|want| *want != vector.len()) {
                return Err(EmbedError::Dimensions { got: vector.len(), want });
            }
            normalize(vector);
        }
        Ok(vectors)
    }

    async fn try_embed(&self, model: &str, texts: &[String], want: Option<usize>) -> Result<Vec<Vec<f32>>, Failure> {
        let endpoint = &self.endpoint;
        // Held for one attempt only, so that calls that pause before a retry hold no place. The semaphore is never closed;
        // without it the request would only lack its limit.
        let _place = endpoint.embed_places.acquire().await.ok();
        let limit = endpoint.limits.embed;
        timeout(limit, self.protocol.embed(endpoint, model, texts, want))
            .await
            .unwrap_or_else(|_| Err(Failure::timeout(endpoint, "did not answer", limit)))
    }

    /// Its embedding models: those it lists, and those it is known to have.
    pub(crate) fn embedding_models(&self, listed: &[Listed]) -> Vec<String> {
        let mut out: Vec<String> =
            self.protocol.unlisted_embedding_models(listed).iter().copied().map(String::from).collect();
        for model in listed.iter().filter(|m| m.use_ == Use::Embedding) {
            if !out.contains(&model.id) {
                out.push(model.id.clone());
            }
        }
        out
    }

    /// The length of the model's vectors, as far as it is known without asking.
    pub(crate) fn known_dim(&self, model: &str) -> Option<i32> {
        catalog::embedding_dim(model).or_else(|| self.dims.lock().get(model).copied())
    }

    /// The length of the model's vectors. Where it is not known, a word is embedded to find out.
    pub(crate) async fn dim(&self, model: &str) -> i32 {
        if let Some(dim) = self.known_dim(model) {
            return dim;
        }
        let word = String::from("length");
        match self.embed(model, slice::from_ref(&word), None, 1).await {
            Ok(vectors) => {
                let dim = vectors.first().map_or(0, Vec::len);
                let dim = i32::try_from(dim).unwrap_or(USUAL_DIM);
                self.dims.lock().insert(model.to_owned(), dim);
                dim
            }
            Err(error) => {
                tracing::warn!(
                    provider = self.name(), model, %error,
                    "the length of the model's vectors cannot be found out; taken to be {USUAL_DIM}"
                );
                USUAL_DIM
            }
        }
    }
}
