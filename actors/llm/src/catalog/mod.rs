//! Which models there are, and how large their windows are.
//!
//! [`fetch`] asks an endpoint for its list; [`known`] fills in what endpoints leave out; [`config`]
//! turns an entry into what the API shows. Lists are kept for [`FRESH`] and asked for again when
//! somebody wants them, one question at a time for each endpoint. An endpoint that cannot be reached
//! keeps its last list, or has none: the lists of the others are not its hostages.

mod config;
mod fetch;
mod known;

use std::{sync::Arc, time::Duration};

use engram_core::ports::LlmError;
use tokio::{
    sync::{Mutex, RwLock},
    time::Instant,
};

use crate::endpoint::Endpoint;

pub(crate) use config::{embedding_config, embedding_models, llm_config};
pub(crate) use known::embedding_dim;

/// How long a list is taken as it is.
pub(crate) const FRESH: Duration = Duration::from_mins(1);
/// How long when somebody asks for a model that it does not have: a model may just have been loaded.
pub(crate) const FRESH_FOR_A_MISS: Duration = Duration::from_secs(5);

/// A model as its endpoint lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: String,
    /// Tokens, where the endpoint says.
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

/// The last list of an endpoint.
#[derive(Default)]
pub(crate) struct ListCache {
    /// The last answer and when it came.
    last: RwLock<Option<(Instant, Answer)>>,
    /// Held while the endpoint is being asked.
    asking: Mutex<()>,
}

impl ListCache {
    async fn at_most(&self, age: Duration) -> Option<Answer> {
        let last = self.last.read().await;
        last.as_ref().filter(|(at, _)| at.elapsed() < age).map(|(_, answer)| answer.clone())
    }
}

/// The endpoint's models. Not older than `age`, unless the endpoint does not answer and has done so
/// before.
pub(crate) async fn list(endpoint: &Endpoint, age: Duration) -> Answer {
    let cache = &endpoint.list;
    if let Some(answer) = cache.at_most(age).await {
        return answer;
    }
    let _asking = cache.asking.lock().await;
    if let Some(answer) = cache.at_most(age).await {
        return answer; // somebody else asked while we waited
    }
    let mut answer = fetch::models(endpoint).await.map(Arc::new);
    let mut last = cache.last.write().await;
    if let Err(error) = &answer {
        tracing::warn!(provider = endpoint.name(), %error, "a provider does not list its models");
        if let Some((_, Ok(older))) = &*last {
            answer = Ok(Arc::clone(older));
        }
    }
    *last = Some((Instant::now(), answer.clone()));
    answer
}

/// Asks the endpoint now, whatever is remembered: how many models it has, or what is wrong.
pub(crate) async fn check(endpoint: &Endpoint) -> Result<usize, LlmError> {
    let models = Arc::new(fetch::models(endpoint).await?);
    let count = models.len();
    *endpoint.list.last.write().await = Some((Instant::now(), Ok(models)));
    Ok(count)
}
