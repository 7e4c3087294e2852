//! Who is awake, and what everybody does: for whoever looks after the server.
//!
//! Invariant: an actor has a line from its claim to its end, however it ends: the line goes with its [`Seat`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use engram_core::ports::StoreError;
use engram_domain::{ConversationId, NodeId, RunId, Time};
use serde::{Deserialize, Serialize};

use crate::{
    Engine,
    peer::{PeerReply, PeerRequest},
};

/// How long another node may take over its list.
const PATIENCE: Duration = Duration::from_secs(2);

/// What an actor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Nothing.
    Idle,
    /// A run, or something it was told to do.
    Running,
    /// Nothing, until a client says a word on tool calls.
    Waiting,
}

impl Activity {
    /// As one writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Waiting => "waiting",
        }
    }
}

/// A live actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveConversation {
    /// Whose writer it is.
    pub conversation: ConversationId,
    /// What it does.
    pub activity: Activity,
    /// The run that is on.
    pub run: Option<RunId>,
    /// Runs that wait their turn.
    pub queued: usize,
    /// Since when it does that, or has that run.
    pub since: Time,
}

/// A node with its actors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeCensus {
    /// The node.
    pub node: NodeId,
    /// Its actors; why there are none when it did not tell.
    pub live: Result<Vec<LiveConversation>, String>,
}

/// The lines of all actors of this node.
#[derive(Debug, Default)]
pub(crate) struct Census {
    lines: DashMap<ConversationId, (u64, LiveConversation)>,
    seats: AtomicU64,
}

impl Census {
    /// A line for an actor that begins.
    pub(crate) fn seat(self: &Arc<Self>, conversation: ConversationId, now: Time) -> Seat {
        let line = LiveConversation { conversation, activity: Activity::Idle, run: None, queued: 0, since: now };
        let number = self.seats.fetch_add(1, Ordering::Relaxed);
        self.lines.insert(conversation, (number, line));
        Seat { census: self.clone(), conversation, number, noted: (Activity::Idle, None, 0) }
    }

    fn list(&self) -> Vec<LiveConversation> {
        self.lines.iter().map(|line| line.1.clone()).collect()
    }
}

/// An actor's line.
#[derive(Debug)]
pub(crate) struct Seat {
    census: Arc<Census>,
    conversation: ConversationId,
    /// Tells this actor's line from that of its successor, which may begin before this one is gone.
    number: u64,
    noted: (Activity, Option<RunId>, usize),
}

impl Seat {
    /// Notes what the actor does now. As good as free when nothing changed.
    pub(crate) fn note(&mut self, activity: Activity, run: Option<RunId>, queued: usize, now: impl FnOnce() -> Time) {
        if self.noted == (activity, run, queued) {
            return;
        }
        if let Some(mut line) = self.census.lines.get_mut(&self.conversation).filter(|line| line.0 == self.number) {
            let line = &mut line.1;
            if (activity, run) != (line.activity, line.run) {
                line.since = now();
            }
            (line.activity, line.run, line.queued) = (activity, run, queued);
        }
        self.noted = (activity, run, queued);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.census.lines.remove_if(&self.conversation, |_, line| line.0 == self.number);
    }
}

impl Engine {
    /// The actors of this node.
    pub fn census(&self) -> Vec<LiveConversation> {
        self.0.census.list()
    }

    /// The actors of all nodes that take work: this one's first.
    pub async fn census_of_all(&self) -> Result<Vec<NodeCensus>, StoreError> {
        let inner = &self.0;
        let me = inner.settings.node.id;
        let peers = inner.ports.store.other_nodes(me).await?;
        let asked = peers.iter().map(|peer| async move {
            let live = match inner.ports.peers.ask(peer, PeerRequest::Census, PATIENCE).await {
                Ok(PeerReply::Census(live)) => Ok(live),
                Ok(_) => Err("it does not know the question".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            NodeCensus { node: peer.id, live }
        });
        let others = futures::future::join_all(asked).await;
        let mine = NodeCensus { node: me, live: Ok(self.census()) };
        Ok(std::iter::once(mine).chain(others).collect())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> Time {
        Time::from_timestamp(second, 0).expect("a time")
    }

    #[test]
    fn a_line_says_what_its_actor_does_and_goes_with_it() {
        let census: Arc<Census> = Arc::default();
        let conversation = ConversationId(Uuid::from_u128(1));
        let mut seat = census.seat(conversation, at(1));
        let run = Some(RunId(Uuid::from_u128(2)));
        seat.note(Activity::Running, run, 1, || at(2));
        // A queue that grows is no other activity.
        seat.note(Activity::Running, run, 2, || at(3));
        let line = LiveConversation { conversation, activity: Activity::Running, run, queued: 2, since: at(2) };
        assert_eq!(census.list(), [line]);
        drop(seat);
        assert!(census.list().is_empty());
    }

    #[test]
    fn a_predecessor_takes_nothing_along() {
        let census: Arc<Census> = Arc::default();
        let conversation = ConversationId(Uuid::from_u128(1));
        let mut old = census.seat(conversation, at(1));
        let new = census.seat(conversation, at(2));
        old.note(Activity::Running, None, 9, || at(3));
        drop(old);
        assert_eq!(census.list().iter().map(|l| (l.activity, l.queued)).collect::<Vec<_>>(), [(Activity::Idle, 0)]);
        drop(new);
        assert!(census.list().is_empty());
    }
}
