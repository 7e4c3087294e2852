//! Runs whose events are kept: in the database before anybody sees them.
//!
//! Messages and the end are written by the commit that makes them. Pieces of a message that is being
//! written come faster than a database likes, so they are written in small batches, and shown then.
//! Every write passes the fence, so a run that has moved to another node is not written to twice.

use std::{sync::Arc, time::Duration};

use engram_core::{
    ports::{Fence, LoggedEvent, StoreError},
    retry::Pauses,
};
use engram_domain::RunId;
use parking_lot::Mutex;
use tokio::{sync::Notify, task::JoinHandle};

use crate::{Inner, api::StreamEvent, metrics};

/// How long pieces are collected before they are written.
const BATCH: Duration = Duration::from_millis(15);

/// The pieces of one model call on their way into the log.
pub(crate) struct Journal {
    /// Of which call.
    pub(crate) attempt: u64,
    pieces: Arc<Pieces>,
    writer: Option<JoinHandle<Result<i64, Lost>>>,
}

/// The log cannot be written.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The database is away.
    Database,
    /// Another owner writes it, or the database refuses what is in it.
    Refused,
}

#[derive(Default)]
struct Pieces {
    waiting: Mutex<Waiting>,
    more: Notify,
}

#[derive(Default)]
struct Waiting {
    events: Vec<StreamEvent>,
    closed: bool,
}

impl Journal {
    /// Begins behind event number `last`.
    pub(crate) fn start(inner: &Arc<Inner>, fence: Fence, run: RunId, attempt: u64, last: i64) -> Self {
        let pieces = Arc::new(Pieces::default());
        let writer = inner.tasks.spawn(write(inner.clone(), pieces.clone(), fence, run, last));
        Self { attempt, pieces, writer: Some(writer) }
    }

    /// Where pieces go. What comes after the end of the journal is dropped.
    pub(crate) fn sink(&self) -> impl Fn(StreamEvent) + Send + Sync + 'static {
        let pieces = self.pieces.clone();
        move |event| {
            let mut waiting = pieces.waiting.lock();
            if !waiting.closed {
                waiting.events.push(event);
                pieces.more.notify_one();
            }
        }
    }

    /// Writes what is left. The number of the last event.
    pub(crate) async fn finish(mut self) -> Result<i64, Lost> {
        self.close();
        match self.writer.take() {
            Some(writer) => writer.await.unwrap_or(Err(Lost::Refused)),
            None => Err(Lost::Refused),
        }
    }

    fn close(&self) {
        self.pieces.waiting.lock().closed = true;
        self.pieces.more.notify_one();
    }
}

impl Drop for Journal {
    /// An actor that dies leaves its journal: what is left is written if nobody has taken over yet.
    fn drop(&mut self) {
        self.close();
    }
}

async fn write(inner: Arc<Inner>, pieces: Arc<Pieces>, fence: Fence, run: RunId, mut last: i64) -> Result<i64, Lost> {
    loop {
        let (events, closed) = {
            let mut waiting = pieces.waiting.lock();
            (std::mem::take(&mut waiting.events), waiting.closed)
        };
        if events.is_empty() {
            if closed {
                return Ok(last);
            }
            pieces.more.notified().await;
            if !pieces.waiting.lock().closed {
                tokio::time::sleep(BATCH).await;
            }
            continue;
        }
        let kept: Vec<LoggedEvent> = (last + 1..).zip(&events).filter_map(|(seq, event)| logged(seq, event)).collect();
        append(&inner, fence, run, &kept).await?;
        for event in events {
            last += 1;
            inner.hub.publish(run, Some(last), event);
        }
    }
}

async fn append(inner: &Inner, fence: Fence, run: RunId, events: &[LoggedEvent]) -> Result<(), Lost> {
    let mut pauses = Pauses::DATABASE.iter();
    loop {
        match inner.ports.store.append_events(fence, run, events).await {
            Ok(true) => return Ok(()),
            Ok(false) => {
                metrics::fenced();
                return Err(Lost::Refused);
            }
            Err(StoreError::Unavailable(why) | StoreError::Overloaded(why)) => match pauses.next() {
                Some(pause) => {
                    tracing::warn!(why, %run, "events could not be kept, trying again");
                    tokio::time::sleep(pause).await;
                }
                None => return Err(Lost::Database),
            },
            // After a failure whose outcome was not known this is what a second write of the same numbers
            // says; whoever loads the run again reads what is there.
            Err(error) => {
                tracing::warn!(%error, %run, "events could not be kept");
                return Err(Lost::Refused);
            }
        }
    }
}

/// An event as it is kept.
pub(crate) fn logged(seq: i64, event: &StreamEvent) -> Option<LoggedEvent> {
    match serde_json::to_value(event) {
        Ok(event) => Some(LoggedEvent { seq, event }),
        Err(error) => {
            tracing::error!(%error, "an event cannot be kept");
            None
        }
    }
}
