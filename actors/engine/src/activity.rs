//! Which actors there are and what each does, for whoever operates the server.
//!
//! Invariant: an actor has an entry from its claim to its end, however it ends: the entry goes with its
//! [`ActivityEntry`].

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
    /// Nothing, until a client has decided on tool calls.
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
    /// The current run.
    pub run: Option<RunId>,
    /// Runs that wait their turn.
    pub queued: usize,
    /// Since when it does that, or has that run.
    pub since: Time,
}

/// A node with its actors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeActivity {
    /// The node.
    pub node: NodeId,
    /// Its actors; why there are none when it did not tell.
    pub live: Result<Vec<LiveConversation>, String>,
}

/// What all actors of this node do.
#[derive(Debug, Default)]
pub(crate) struct ActivityTable {
    entries: DashMap<ConversationId, (u64, LiveConversation)>,
    count: AtomicU64,
}

impl ActivityTable {
    /// An entry for an actor that begins.
    pub(crate) fn enter(self: &Arc<Self>, conversation: ConversationId, now: Time) -> ActivityEntry {
        let entry = LiveConversation { conversation, activity: Activity::Idle, run: None, queued: 0, since: now };
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        self.entries.insert(conversation, (number, entry));
        ActivityEntry { table: self.clone(), conversation, number, noted: (Activity::Idle, None, 0) }
    }

    fn list(&self) -> Vec<LiveConversation> {
        self.entries.iter().map(|entry| entry.1.clone()).collect()
    }
}

/// An actor's entry in the table.
#[derive(Debug)]
pub(crate) struct ActivityEntry {
    table: Arc<ActivityTable>,
    conversation: ConversationId,
    /// Tells this actor's entry from that of its successor, which may begin before this one is gone.
    number: u64,
    noted: (Activity, Option<RunId>, usize),
}

impl ActivityEntry {
    /// Notes what the actor does now. As good as free when nothing changed.
    pub(crate) fn note(&mut self, activity: Activity, run: Option<RunId>, queued: usize, now: impl FnOnce() -> Time) {
        if self.noted == (activity, run, queued) {
            return;
        }
        if let Some(mut entry) = self.table.entries.get_mut(&self.conversation).filter(|entry| entry.0 == self.number) {
            let entry = &mut entry.1;
            if (activity, run) != (entry.activity, entry.run) {
                entry.since = now();
            }
            (entry.activity, entry.run, entry.queued) = (activity, run, queued);
        }
        self.noted = (activity, run, queued);
    }
}

impl Drop for ActivityEntry {
    fn drop(&mut self) {
        self.table.entries.remove_if(&self.conversation, |_, entry| entry.0 == self.number);
    }
}

impl Engine {
    /// The actors of this node.
    pub fn activity(&self) -> Vec<LiveConversation> {
        self.0.activity.list()
    }

    /// The actors of all nodes that take work: this one's first.
    pub async fn activity_of_all(&self) -> Result<Vec<NodeActivity>, StoreError> {
        let inner = &self.0;
        let me = inner.settings.node.id;
        let peers = inner.ports.store.other_nodes(me).await?;
        let asked = peers.iter().map(|peer| async move {
            let live = match inner.ports.peers.ask(peer, PeerRequest::Activity, PATIENCE).await {
                Ok(PeerReply::Activity(live)) => Ok(live),
                Ok(_) => Err("it does not know the question".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            NodeActivity { node: peer.id, live }
        });
        let others = futures::future::join_all(asked).await;
        let mine = NodeActivity { node: me, live: Ok(self.activity()) };
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
    fn an_entry_says_what_its_actor_does_and_goes_with_it() {
        let table: Arc<ActivityTable> = Arc::default();
        let conversation = ConversationId(Uuid::from_u128(1));
        let mut entry = table.enter(conversation, at(1));
        let run = Some(RunId(Uuid::from_u128(2)));
        entry.note(Activity::Running, run, 1, || at(2));
        // A queue that grows is no other activity.
        entry.note(Activity::Running, run, 2, || at(3));
        let shown = LiveConversation { conversation, activity: Activity::Running, run, queued: 2, since: at(2) };
        assert_eq!(table.list(), [shown]);
        drop(entry);
        assert!(table.list().is_empty());
    }

    #[test]
    fn a_predecessor_takes_nothing_along() {
        let table: Arc<ActivityTable> = Arc::default();
        let conversation = ConversationId(Uuid::from_u128(1));
        let mut old = table.enter(conversation, at(1));
        let new = table.enter(conversation, at(2));
        old.note(Activity::Running, None, 9, || at(3));
        drop(old);
        assert_eq!(table.list().iter().map(|l| (l.activity, l.queued)).collect::<Vec<_>>(), [(Activity::Idle, 0)]);
        drop(new);
        assert!(table.list().is_empty());
    }
}
