//! The stream hub: what happens in a run, for whoever listens, at their own pace.
//!
//! A run's events are kept in order from its acknowledgement until a while after its end, numbered
//! from 1. A reader holds a position, so a slow one misses nothing and slows nobody. Nothing here
//! is the record of what happened: that is the database, and what is no longer here is rebuilt from
//! there.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use dashmap::DashMap;
use engram_domain::{Message, MessageId, RunId};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::api::StreamEvent;

/// How long an ended run's events are kept for readers that come late. Nobody needs them for the
/// answer: committed messages can be read from the database at any time.
const KEEP_AFTER_END: Duration = Duration::from_mins(1);

/// All runs with events in memory.
#[derive(Default)]
pub(crate) struct Hub {
    runs: DashMap<RunId, Arc<Channel>>,
}

/// One run's events.
struct Channel {
    events: Mutex<Vec<StreamEvent>>,
    /// Number of events so far; readers wait for it to grow.
    len: watch::Sender<usize>,
}

impl Hub {
    /// A reader of the run's events with a number above `after`, opening the run's channel if this
    /// is the first anybody hears of it.
    pub(crate) fn open(self: &Arc<Self>, run: RunId, after: i64) -> RunStream {
        let channel = self.runs.entry(run).or_insert_with(|| Arc::new(Channel::new())).clone();
        RunStream::new(run, channel, after)
    }

    /// As [`Hub::open`], but only if the run has events here.
    pub(crate) fn subscribe(self: &Arc<Self>, run: RunId, after: i64) -> Option<RunStream> {
        let channel = self.runs.get(&run)?.clone();
        Some(RunStream::new(run, channel, after))
    }

    /// Appends an event. Opens no channel: a run that nobody listened to and that is not open here
    /// (work taken over after a crash) gets one all the same, so that resumed streams see it.
    pub(crate) fn publish(self: &Arc<Self>, run: RunId, event: StreamEvent) {
        let ended = matches!(event, StreamEvent::Ended(_));
        let channel = self.runs.entry(run).or_insert_with(|| Arc::new(Channel::new())).clone();
        let len = {
            let mut events = channel.events.lock();
            if matches!(events.last(), Some(StreamEvent::Ended(_))) {
                return;
            }
            events.push(event);
            events.len()
        };
        channel.len.send_replace(len);
        if ended {
            self.forget_later(run, &channel);
        }
    }

    /// Appends those of a run's messages that were not published, in their order.
    pub(crate) fn publish_missing(self: &Arc<Self>, run: RunId, messages: Vec<Message>) {
        let known: Vec<MessageId> = match self.runs.get(&run) {
            Some(channel) => channel.events.lock().iter().filter_map(StreamEvent::message_id).collect(),
            None => Vec::new(),
        };
        for message in messages.into_iter().filter(|m| !known.contains(&m.id)) {
            self.publish(run, StreamEvent::Message(Arc::new(message)));
        }
    }

    /// Drops a channel that was opened for a run that was then not accepted.
    pub(crate) fn discard(&self, run: RunId) {
        self.runs.remove(&run);
    }

    fn forget_later(self: &Arc<Self>, run: RunId, channel: &Arc<Channel>) {
        let hub: Weak<Self> = Arc::downgrade(self);
        let channel = Arc::downgrade(channel);
        tokio::spawn(async move {
            tokio::time::sleep(KEEP_AFTER_END).await;
            if let Some(hub) = hub.upgrade() {
                // Not the channel of a later life of the same run.
                hub.runs.remove_if(&run, |_, c| std::ptr::eq(Arc::as_ptr(c), channel.as_ptr()));
            }
        });
    }
}

impl Channel {
    fn new() -> Self {
        Self { events: Mutex::new(Vec::new()), len: watch::Sender::new(0) }
    }
}

/// A reader of one run's events.
pub struct RunStream {
    run: RunId,
    channel: Arc<Channel>,
    len: watch::Receiver<usize>,
    next: usize,
    done: bool,
}

impl RunStream {
    fn new(run: RunId, channel: Arc<Channel>, after: i64) -> Self {
        let len = channel.len.subscribe();
        Self { run, channel, len, next: usize::try_from(after).unwrap_or(0), done: false }
    }

    /// The run.
    pub fn run_id(&self) -> RunId {
        self.run
    }

    /// The next event with its number, counted from 1. None after the end. Cancel safe.
    pub async fn next(&mut self) -> Option<(i64, StreamEvent)> {
        if self.done {
            return None;
        }
        loop {
            let event = self.channel.events.lock().get(self.next).cloned();
            if let Some(event) = event {
                self.next += 1;
                self.done = matches!(event, StreamEvent::Ended(_));
                return Some((i64::try_from(self.next).unwrap_or(i64::MAX), event));
            }
            // A reader that starts behind the end would wait for ever.
            if matches!(self.channel.events.lock().last(), Some(StreamEvent::Ended(_))) {
                self.done = true;
                return None;
            }
            let next = self.next;
            if self.len.wait_for(|n| *n > next).await.is_err() {
                return None;
            }
        }
    }
}

impl std::fmt::Debug for RunStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunStream").field("run", &self.run).field("next", &self.next).finish_non_exhaustive()
    }
}
