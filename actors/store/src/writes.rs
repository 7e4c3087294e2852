//! Whether writes go through, for whoever asks if this server should be sent requests.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{Result, ScopedStore, Store, StoreError};

/// How long a failed write counts. A server that is sent nothing writes nothing, and would never know that it could again.
const COUNTS: Duration = Duration::from_secs(5);

/// The last write that failed for the database's fault, until one goes through.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writes(Arc<Mutex<Option<(Instant, String)>>>);

impl Writes {
    /// Takes notice of a write and hands its result on. What is the content's fault says that the database works.
    pub fn note<T>(&self, result: Result<T>) -> Result<T> {
        *self.0.lock() = match &result {
            Err(StoreError::Unavailable(why) | StoreError::Overloaded(why)) => Some((Instant::now(), why.clone())),
            _ => None,
        };
        result
    }
}

impl Store {
    /// Why the last write failed, when that was the database's fault and a moment ago.
    pub fn failing_writes(&self) -> Option<String> {
        self.writes.0.lock().as_ref().filter(|(at, _)| at.elapsed() < COUNTS).map(|(_, why)| why.clone())
    }
}

impl ScopedStore {
    /// As [`Store::failing_writes`].
    pub fn failing_writes(&self) -> Option<String> {
        self.store.failing_writes()
    }
}
