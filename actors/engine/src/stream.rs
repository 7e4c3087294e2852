//! The stream hub: what happens in the runs of this node, for whoever listens, at their own pace.
//!
//! A run's events are kept in order from its acknowledgement until a while after its end. A reader
//! holds a position, so a slow one misses nothing and slows nobody. Nothing here is the record of what
//! happened: that is the database, and what is no longer here is read from there.
//!
//! Invariants: the events of a channel are numbered without gaps from `base + 1`; for a run whose events
//! are kept (see [`crate::journal`]) the numbers are those of the database. A channel whose run goes on
//! somewhere else is marked as moved, and its readers look for the run again ([`crate::follow`]).

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
    time::Duration,
};

use dashmap::{DashMap, Entry};
use engram_domain::RunId;
use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

use crate::api::StreamEvent;

/// How long an ended run's events are kept for readers that come late. Nobody needs them for the
/// answer: committed messages can be read from the database at any time.
const KEEP_AFTER_END: Duration = Duration::from_mins(1);
/// Ended runs whose events are kept at most, and bytes that these have; of more the oldest go earlier.
const KEPT_ENDS: usize = 20_000;
const KEPT_BYTES: usize = 128 * 1024 * 1024;

/// All runs with events in memory.
#[derive(Default)]
pub(crate) struct Hub {
    runs: DashMap<RunId, Arc<Channel>>,
    ends: Mutex<Ends>,
}

/// Ended runs, oldest first.
#[derive(Default)]
struct Ends {
    runs: VecDeque<Ended>,
    bytes: usize,
}

struct Ended {
    at: Instant,
    run: RunId,
    channel: Weak<Channel>,
    bytes: usize,
}

impl Ends {
    fn push(&mut self, ended: Ended) {
        self.bytes += ended.bytes;
        self.runs.push_back(ended);
    }

    /// Takes out the oldest one if it has been here long enough, or there are too many or too large ones.
    fn pop(&mut self) -> Option<Ended> {
        let crowded = self.runs.len() > KEPT_ENDS || self.bytes > KEPT_BYTES;
        let ended = self.runs.pop_front_if(|ended| crowded || ended.at.elapsed() >= KEEP_AFTER_END)?;
        self.bytes -= ended.bytes;
        Some(ended)
    }
}

/// One run's events.
struct Channel {
    state: Mutex<State>,
    /// Goes up with every change; readers wait for it.
    tick: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Events of the run before the first one here.
    base: i64,
    events: Vec<StreamEvent>,
    /// Whether every event of the run is here, from its acceptance on.
    whole: bool,
    /// The run goes on, or ended, somewhere else.
    moved: bool,
}

impl State {
    fn ended(&self) -> bool {
        matches!(self.events.last(), Some(StreamEvent::Ended(_)))
    }
}

impl Hub {
    /// A reader of a run that is about to be accepted.
    pub(crate) fn accept(&self, run: RunId) -> Reader {
        let reader = self.open(run, 0);
        reader.channel.state.lock().whole = true;
        reader
    }

    /// A reader of the run's events with a number above `after`, opening the run's channel if this
    /// is the first anybody hears of it.
    pub(crate) fn open(&self, run: RunId, after: i64) -> Reader {
        let channel = self.runs.entry(run).or_insert_with(|| Arc::new(Channel::new(0))).clone();
        Reader::new(channel, after)
    }

    /// As [`Hub::open`], but only if the run has come to its end here.
    pub(crate) fn ended(&self, run: RunId, after: i64) -> Option<Reader> {
        let channel = self.runs.get(&run)?.clone();
        let ended = channel.state.lock().ended();
        ended.then(|| Reader::new(channel, after))
    }

    /// The run begins, or goes on, on this node: its next event is number `base + 1`. A channel that
    /// counted otherwise belongs to an earlier life; its readers come back to the new one.
    pub(crate) fn begin(&self, run: RunId, base: i64) {
        match self.runs.entry(run) {
            Entry::Vacant(slot) => {
                slot.insert(Arc::new(Channel::new(base)));
            }
            Entry::Occupied(mut slot) => {
                let fits = {
                    let mut state = slot.get().state.lock();
                    if state.events.is_empty() {
                        state.base = base;
                    }
                    state.base + count(&state.events) == base
                };
                if !fits {
                    let old = slot.insert(Arc::new(Channel::new(base)));
                    old.change(|state| state.moved = true);
                }
            }
        }
    }

    /// Appends an event. A run that nobody listens to gets a channel all the same, so that resumed
    /// streams see it. `number`: the event's own, of a run whose events are kept.
    pub(crate) fn publish(&self, run: RunId, number: Option<i64>, event: StreamEvent) {
        let ended = matches!(event, StreamEvent::Ended(_));
        if let Some(number) = number {
            // The channel may have been closed meanwhile, by somebody who took the run for another node's: what is
            // shown from now on has its numbers all the same.
            self.begin(run, number - 1);
        }
        let channel = self.runs.entry(run).or_insert_with(|| Arc::new(Channel::new(0))).clone();
        channel.change(|state| {
            if !state.ended() {
                state.events.push(event);
            }
        });
        if ended {
            let bytes = channel.state.lock().events.iter().map(StreamEvent::bytes).sum();
            self.ends.lock().push(Ended { at: Instant::now(), run, channel: Arc::downgrade(&channel), bytes });
            self.sweep();
        }
    }

    /// Drops the events of runs that ended a while ago. Readers that have the channel keep it.
    pub(crate) fn sweep(&self) {
        loop {
            let oldest = self.ends.lock().pop();
            let Some(Ended { run, channel, .. }) = oldest else { return };
            // Not the channel of a later life of the same run.
            self.runs.remove_if(&run, |_, c| std::ptr::eq(Arc::as_ptr(c), channel.as_ptr()));
        }
    }

    /// The run is not on this node any more: what comes of it is found elsewhere.
    pub(crate) fn leave(&self, run: RunId) {
        if let Some((_, channel)) = self.runs.remove_if(&run, |_, c| !c.state.lock().ended()) {
            channel.change(|state| state.moved = true);
        }
    }
}

fn count(events: &[StreamEvent]) -> i64 {
    i64::try_from(events.len()).unwrap_or(i64::MAX)
}

impl Channel {
    fn new(base: i64) -> Self {
        Self { state: Mutex::new(State { base, ..State::default() }), tick: watch::Sender::new(0) }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
        self.tick.send_modify(|n| *n += 1);
    }
}

/// What a reader finds next.
pub(crate) enum Next {
    /// An event with its number.
    Event(i64, StreamEvent),
    /// Events up to this number are in the database only.
    InLog(i64),
    /// The run goes on, or ended, somewhere else.
    Moved,
    /// The run has ended, and this reader knows.
    Over,
}

/// A reader of one run's events on this node.
pub(crate) struct Reader {
    channel: Arc<Channel>,
    tick: watch::Receiver<u64>,
    /// The number of the last event that was read.
    after: i64,
}

impl Reader {
    fn new(channel: Arc<Channel>, after: i64) -> Self {
        let tick = channel.tick.subscribe();
        Self { channel, tick, after }
    }

    /// Whether it finds every event of the run here.
    pub(crate) fn is_whole(&self) -> bool {
        self.channel.state.lock().whole
    }

    /// What comes next. Cancel safe.
    pub(crate) async fn next(&mut self) -> Next {
        loop {
            self.tick.mark_unchanged();
            if let Some(next) = self.look() {
                return next;
            }
            if self.tick.changed().await.is_err() {
                return Next::Moved;
            }
        }
    }

    fn look(&mut self) -> Option<Next> {
        let state = self.channel.state.lock();
        if self.after < state.base {
            return Some(if state.moved { Next::Moved } else { Next::InLog(state.base) });
        }
        let event = usize::try_from(self.after - state.base).ok().and_then(|i| state.events.get(i)).cloned();
        match event {
            Some(event) => {
                self.after += 1;
                Some(Next::Event(self.after, event))
            }
            // One that starts behind the end would wait for ever.
            None if state.ended() => Some(Next::Over),
            None => state.moved.then_some(Next::Moved),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn ended_runs_go_by_their_age_their_number_and_their_bytes() {
        let ended = |bytes| Ended { at: Instant::now(), run: RunId(Uuid::nil()), channel: Weak::new(), bytes };
        let mut ends = Ends::default();
        ends.push(ended(KEPT_BYTES / 2));
        ends.push(ended(KEPT_BYTES / 2));
        assert!(ends.pop().is_none());
        ends.push(ended(1));
        assert_eq!(ends.pop().map(|e| e.bytes), Some(KEPT_BYTES / 2));
        assert!(ends.pop().is_none());
        assert_eq!(ends.bytes, KEPT_BYTES / 2 + 1);
        for _ in 0..=KEPT_ENDS - 2 {
            ends.push(ended(0));
        }
        assert!(ends.pop().is_some() && ends.pop().is_none(), "one too many");
        ends.runs[0].at = Instant::now().checked_sub(KEEP_AFTER_END).expect("an earlier time");
        assert!(ends.pop().is_some() && ends.pop().is_none(), "one is old");
    }
}
