//! Which models there are, and how large their windows are.
//!
//! A provider is asked for its list by its protocol; [`known`] fills in what providers leave out; [`config`] turns an entry
//! into what the API shows. Lists are kept for [`FRESH`] and asked for again when somebody wants them, one question at a
//! time for each provider. A provider that cannot be reached keeps its last list, or has none; the lists of the others do
//! not wait for it longer than the time limit for lists.

mod config;
mod known;

use std::{sync::Arc, time::Duration};

use engram_core::ports::LlmError;
use tokio::{
    sync::{Mutex, RwLock},
    time::{Instant, timeout},
};

use crate::{http::Failure, provider::Provider};

pub(crate) use config::{embedding_config, llm_config};
pub(crate) use known::embedding_dim;

/// How long a list is taken as it is.
pub(crate) const FRESH: Duration = Duration::from_mins(1);
/// How long when somebody asks for a model that it does not have: a model may just have been loaded.
pub(crate) const FRESH_FOR_A_MISS: Duration = Duration::from_secs(5);

/// A model as its provider lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: String,
    /// Tokens, where the provider says.
    pub(crate) window: Option<i32>,
    pub(crate) use_: Use,
}

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Chat,
    Embedding,
    /// Speech, pictures, moderation: not listed, but not refused either when somebody insists.
    Other,
}

/// A list, or why there is none.
type Answer = Result<Arc<Vec<Listed>>, LlmError>;

/// The last list of a provider.
#[derive(Default)]
pub(crate) struct ListCache {
    /// The last answer and when it came.
    last: RwLock<Option<(Instant, Answer)>>,
    /// Held while the provider is being asked.
    asking: Mutex<()>,
}

impl ListCache {
    async fn at_most(&self, age: Duration) -> Option<Answer> {
        let last = self.last.read().await;
        last.as_ref().filter(|(at, _)| at.elapsed() < age).map(|(_, answer)| answer.clone())
    }
}

/// The provider's models. Not older than `age`, unless the provider does not answer and has done so
/// before.
pub(crate) async fn list(provider: &Provider, age: Duration) -> Answer {
    let cache = &provider.list;
    if let Some(answer) = cache.at_most(age).await {
        return answer;
    }
    let _asking = cache.asking.lock().await;
    if let Some(answer) = cache.at_most(age).await {
        return answer; // somebody else asked while we waited
    }
    let mut answer = ask(provider).await.map(Arc::new);
    let mut last = cache.last.write().await;
    if let Err(error) = &answer {
        tracing::warn!(provider = provider.name(), %error, "a provider does not list its models");
        if let Some((_, Ok(older))) = &*last {
            answer = Ok(Arc::clone(older));
        }
    }
    *last = Some((Instant::now(), answer.clone()));
    answer
}

/// Asks the provider now, whatever is remembered: how many models it has, or what is wrong.
pub(crate) async fn check(provider: &Provider) -> Result<usize, LlmError> {
    let models = Arc::new(ask(provider).await?);
    let count = models.len();
    *provider.list.last.write().await = Some((Instant::now(), Ok(models)));
    Ok(count)
}

/// Within the time limit for lists and without retries: whoever lists models comes back anyway.
async fn ask(provider: &Provider) -> Result<Vec<Listed>, LlmError> {
    let endpoint = &provider.endpoint;
    let limit = endpoint.limits.list;
    let listed = timeout(limit, provider.protocol.models(endpoint))
        .await
        .unwrap_or_else(|_| Err(Failure::timeout(endpoint, "did not list its models", limit)))
        .map_err(|failure| failure.error)?;
    tracing::debug!(provider = provider.name(), models = listed.len(), "models listed");
    Ok(listed)
}
