//! Listening to a run wherever it is: on this node, on another one, or over.
//!
//! A run may move while somebody listens: its node dies or is taken out, another one goes on. The
//! listener finds it again and goes on where it was. Nothing is told twice: events of a run that keeps
//! them have numbers; of the others, messages are known by their ids, and pieces by their place in
//! the message.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use engram_core::{
    ports::{LoggedEvent, Owner, Peer, StoreError},
    step::RunEnd,
};
use engram_domain::{MessageId, Run, RunId, RunOwner, RunStatus};
use futures::StreamExt;
use tokio::time::timeout;

use crate::{
    Inner,
    api::StreamEvent,
    drivers, metrics,
    peer::{PeerEvents, PeerRequest},
    stream::{Next, Reader},
};

/// Events that are read from the database at once.
const PAGE: i64 = 500;
/// A listener that hears nothing for so long looks whether the run is still where it was.
const SILENCE: Duration = Duration::from_secs(5);
/// How long another node may take to begin its answer; one that takes longer is gone or frozen.
const PEER_SILENCE: Duration = Duration::from_millis(2_500);
/// Pauses between looks for a run that nobody has at the moment.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
];

/// A listener to one run.
pub struct RunStream {
    inner: Arc<Inner>,
    run: RunId,
    owner: RunOwner,
    /// Whether the run's events are kept under their numbers.
    durable: bool,
    /// The number of the last event that was told, of a durable run.
    position: i64,
    /// Messages that were told, of one that is not.
    told: HashSet<MessageId>,
    /// Pieces of messages that are not whole yet, of one that is not.
    pieces: HashMap<MessageId, Pieces>,
    place: Place,
    /// Which node owned the conversation or group when the run was accepted, as long as that one was not asked.
    owned_by: Option<Peer>,
    /// What it said before it came to where it is now; told first.
    backlog: VecDeque<StreamEvent>,
    failures: usize,
    done: bool,
}

/// Pieces of one message.
#[derive(Default)]
struct Pieces {
    /// How many were told.
    told: usize,
    /// How many came from the place where the run is now.
    came: usize,
}

/// Where the run is.
enum Place {
    /// It must be looked for.
    Unknown,
    /// On this node.
    Here(Reader),
    /// On another one.
    There(PeerEvents),
    /// In the database. `over`: nothing comes after that.
    Kept { events: VecDeque<(i64, StreamEvent)>, over: bool },
}

impl RunStream {
    /// A listener to a run that is anywhere.
    pub(crate) fn new(inner: Arc<Inner>, run: &Run, after: i64) -> Self {
        Self {
            inner,
            run: run.id,
            owner: run.owner,
            durable: run.keeps_events(),
            position: after,
            told: HashSet::new(),
            pieces: HashMap::new(),
            place: Place::Unknown,
            owned_by: None,
            backlog: VecDeque::new(),
            failures: 0,
            done: false,
        }
    }

    /// Of a run that was just accepted here.
    pub(crate) fn here(mut self, reader: Reader) -> Self {
        self.place = Place::Here(reader);
        self
    }

    /// Of a run that was just accepted for another node.
    pub(crate) fn there(mut self, owner: Option<Peer>) -> Self {
        self.owned_by = owner;
        self
    }

    /// The run.
    pub fn run_id(&self) -> RunId {
        self.run
    }

    /// The next event with its number, counted from 1. None after the end. Numbers mean something only for
    /// runs in the background, where they stay the same for ever. Cancel safe.
    pub async fn next(&mut self) -> Option<(i64, StreamEvent)> {
        loop {
            if self.done {
                return None;
            }
            if let Some(event) = self.backlog.pop_front() {
                if self.is_new(0, &event) {
                    return Some((0, event));
                }
                continue;
            }
            let found = match &mut self.place {
                Place::Unknown => {
                    self.find().await;
                    continue;
                }
                Place::Here(reader) => match timeout(SILENCE, reader.next()).await {
                    Ok(Next::Event(number, event)) => Some((number, event)),
                    Ok(Next::InLog(until)) => {
                        self.read_log(until).await;
                        continue;
                    }
                    Ok(Next::Over) => {
                        self.done = true;
                        return None;
                    }
                    Ok(Next::Moved) | Err(_) => None,
                },
                // It ends when the other node falls silent.
                Place::There(events) => events.next().await,
                Place::Kept { events, over } => {
                    let next = events.pop_front();
                    if next.is_none() && *over {
                        self.done = true;
                        return None;
                    }
                    next
                }
            };
            let Some((number, event)) = found else {
                self.lost();
                continue;
            };
            self.failures = 0;
            if self.is_new(number, &event) {
                self.done = matches!(event, StreamEvent::Ended(_));
                return Some((number, event));
            }
        }
    }

    fn lost(&mut self) {
        self.place = Place::Unknown;
        self.pieces.values_mut().for_each(|pieces| pieces.came = 0);
    }

    /// Notes an event; false when it was told before.
    fn is_new(&mut self, number: i64, event: &StreamEvent) -> bool {
        if self.durable {
            let new = number > self.position;
            self.position = self.position.max(number);
            return new;
        }
        match event {
            StreamEvent::Message(message) => {
                self.pieces.remove(&message.id);
                self.told.insert(message.id)
            }
            StreamEvent::Delta { message_id, .. } if self.told.contains(message_id) => false,
            StreamEvent::Delta { message_id, .. } => {
                let pieces = self.pieces.entry(*message_id).or_default();
                pieces.came += 1;
                let new = pieces.came > pieces.told;
                pieces.told = pieces.told.max(pieces.came);
                new
            }
            StreamEvent::Ended(_) => true,
        }
    }

    /// Looks where the run is.
    async fn find(&mut self) {
        if self.failures > 0 {
            tokio::time::sleep(PAUSES[(self.failures - 1).min(PAUSES.len() - 1)]).await;
        }
        self.failures += 1;
        match self.look().await {
            Ok(place) => self.place = place,
            Err(error) => tracing::debug!(%error, run = %self.run, "a run could not be looked for"),
        }
    }

    async fn look(&mut self) -> Result<Place, StoreError> {
        if let Some(peer) = self.owned_by.take() {
            return Ok(self.ask(&peer).await);
        }
        let (place, row) = self.place().await?;
        // Subscribed first, read then: nothing falls between the two.
        let whole = match &place {
            Place::Here(reader) => reader.is_whole(),
            Place::There(_) => false,
            Place::Unknown | Place::Kept { .. } => true,
        };
        if !whole && !self.durable && row.is_some_and(|run| run.status == RunStatus::Running) {
            let said = self.inner.ports.store.messages_of(self.run).await?;
            self.backlog = said.into_iter().map(|message| StreamEvent::Message(Arc::new(message))).collect();
        }
        Ok(place)
    }

    /// Where the run is, and its row as far as it was read.
    async fn place(&mut self) -> Result<(Place, Option<Run>), StoreError> {
        let (inner, run) = (self.inner.clone(), self.run);
        // A channel that has only the run's last life must not stand for the whole of it.
        if let Some(reader) = inner.hub.ended(run, self.from()).filter(|r| self.durable || r.is_whole()) {
            return Ok((Place::Here(reader), None));
        }
        let Some(row) = inner.ports.store.run(run).await? else { return Ok((self.deleted(), None)) };
        if row.status.is_terminal() {
            return Ok((self.kept(&row).await?, None));
        }
        if drivers::is_here(&inner, self.owner) {
            return Ok((self.listen_here(), Some(row)));
        }
        let place = match inner.ports.store.owner(self.owner, inner.settings.node.id).await? {
            Owner::Gone => self.deleted(),
            Owner::Nobody | Owner::Me if inner.closing.is_cancelled() => Place::Unknown,
            Owner::Nobody | Owner::Me => self.listen_here(),
            Owner::Peer(peer) => self.ask(&peer).await,
        };
        Ok((place, Some(row)))
    }

    /// Listens on this node, and sees to it that the run is worked on.
    fn listen_here(&self) -> Place {
        // Opened before the actor is asked: should the run be over, the actor closes what is open.
        let reader = self.inner.hub.open(self.run, self.from());
        drivers::look(&self.inner, self.owner, self.run);
        Place::Here(reader)
    }

    /// Listens at another node.
    async fn ask(&mut self, peer: &Peer) -> Place {
        let request = PeerRequest::Follow { owner: self.owner, run: self.run, after: self.from() };
        let events = timeout(PEER_SILENCE, self.inner.ports.peers.follow(peer, request)).await;
        metrics::forwarded("follow", if matches!(events, Ok(Ok(_))) { "ok" } else { "failed" });
        match events {
            Ok(Ok(events)) => Place::There(events),
            Ok(Err(error)) => {
                tracing::debug!(%error, node = %peer.id, "following a run");
                Place::Unknown
            }
            Err(_) => Place::Unknown,
        }
    }

    /// From where a reader on this node reads: numbers of a run that is not durable are those of one channel.
    fn from(&self) -> i64 {
        if self.durable { self.position } else { 0 }
    }

    /// What happened before this node took over is in the database.
    async fn read_log(&mut self, until: i64) {
        match self.inner.ports.store.events(self.run, self.position, PAGE).await {
            Ok(events) if !events.is_empty() => {
                self.place = Place::Kept { events: events.into_iter().filter_map(read).collect(), over: false };
            }
            Ok(_) => {
                tracing::warn!(run = %self.run, "events up to {until} are missing from the log");
                self.position = until;
                self.lost();
            }
            Err(_) => {
                self.failures += 1;
                self.lost();
            }
        }
    }

    /// A run that is over, from what is kept of it. What was told before is left out by its number.
    async fn kept(&mut self, row: &Run) -> Result<Place, StoreError> {
        let store = self.inner.ports.store.clone();
        let mut events = VecDeque::new();
        let logged = if self.durable { store.last_event(self.run).await? } else { 0 };
        if logged == 0 {
            // Nothing was kept but what it said.
            let said = store.messages_of(self.run).await?;
            events.extend((1..).zip(said).map(|(number, m)| (number, StreamEvent::Message(Arc::new(m)))));
            let number = i64::try_from(events.len()).unwrap_or(0) + 1;
            events.push_back((number, StreamEvent::Ended(Box::new(RunEnd::stored(row)))));
            return Ok(Place::Kept { events, over: true });
        }
        // From the last event at least: it says whether the end is among them.
        let mut after = self.position.min(logged - 1);
        // One page at a time: the rest is read when this is told. Events that cannot be read are passed over.
        while events.is_empty() && after < logged {
            let page = store.events(self.run, after, PAGE).await?;
            after = page.last().map_or(logged, |e| e.seq);
            events.extend(page.into_iter().filter_map(read));
        }
        let over = after >= logged;
        if over && !matches!(events.back(), Some((_, StreamEvent::Ended(_)))) {
            // It was ended while no actor drove it.
            events.push_back((logged + 1, StreamEvent::Ended(Box::new(RunEnd::stored(row)))));
        }
        Ok(Place::Kept { events, over })
    }

    fn deleted(&self) -> Place {
        let end = StreamEvent::Ended(Box::new(RunEnd::deleted(self.run, self.owner)));
        Place::Kept { events: VecDeque::from([(self.position + 1, end)]), over: true }
    }
}

/// An event as it was kept. One that a later version wrote and this one cannot read is left out.
fn read(kept: LoggedEvent) -> Option<(i64, StreamEvent)> {
    match serde_json::from_value(kept.event) {
        Ok(event) => Some((kept.seq, event)),
        Err(error) => {
            tracing::warn!(%error, seq = kept.seq, "a kept event cannot be read");
            None
        }
    }
}

impl std::fmt::Debug for RunStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunStream").field("run", &self.run).field("position", &self.position).finish_non_exhaustive()
    }
}
