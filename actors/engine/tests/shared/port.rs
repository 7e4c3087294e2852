//! The database as one node reaches it: every call passes through the weather, which may delay it, refuse it, lose
//! its answer, or never come back.

use std::sync::Arc;

use async_trait::async_trait;
use engram_core::ports::{
    Accepted, Clock, Commit, CommitOutcome, EngineStore, Fence, Ids, Loaded, LoggedEvent, NewRun, NodeCard, Owner,
    Peer, StoreError, Vitals, Wakeups, store::AgentSnapshot,
};
use engram_domain::{AgentId, ConversationId, Message, NodeId, Run, RunId, StopReason, Time};
use uuid::Uuid;

use crate::db::Db;

/// What becomes of a call.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It happens, and its answer comes.
    Happens,
    /// It does not happen, and no answer comes, ever.
    Vanishes,
    /// It happens, and no answer comes, ever.
    HappensUnseen,
    /// It happens, and the caller is told that the database is away.
    Lost,
    /// It does not happen.
    Fails(StoreError),
}

/// Decides it.
#[async_trait]
pub trait Weather: Send + Sync + 'static {
    /// Before a call. `writes`: whether it changes the world.
    async fn before(&self, call: &'static str, writes: bool) -> Fate;
    /// Between what happened and its answer.
    async fn after(&self) {}
}

/// One node's way to the database, and its clock.
pub struct Port {
    pub db: Arc<Db>,
    pub weather: Arc<dyn Weather>,
}

impl Port {
    async fn call<T>(
        &self,
        name: &'static str,
        writes: bool,
        work: impl FnOnce(&Db) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        match self.weather.before(name, writes).await {
            Fate::Happens => {
                let result = work(&self.db);
                // No answer is held across the wait by reference.
                self.weather.after().await;
                result
            }
            Fate::Vanishes => std::future::pending().await,
            Fate::HappensUnseen => {
                drop(work(&self.db));
                std::future::pending().await
            }
            Fate::Lost => {
                drop(work(&self.db));
                Err(StoreError::Unavailable("the answer was lost".into()))
            }
            Fate::Fails(error) => Err(error),
        }
    }

    async fn read<T: Send>(&self, name: &'static str, work: impl FnOnce(&Db) -> T + Send) -> Result<T, StoreError> {
        self.call(name, false, |db| Ok(work(db))).await
    }

    async fn write<T: Send>(&self, name: &'static str, work: impl FnOnce(&Db) -> T + Send) -> Result<T, StoreError> {
        self.call(name, true, |db| Ok(work(db))).await
    }
}

#[async_trait]
impl EngineStore for Port {
    async fn heartbeat(&self, card: &NodeCard, vitals: Vitals) -> Result<(), StoreError> {
        self.read("heartbeat", |db| db.heartbeat(card, vitals)).await
    }
    async fn other_nodes(&self, node: NodeId) -> Result<Vec<Peer>, StoreError> {
        self.read("other_nodes", |db| db.other_nodes(node)).await
    }
    async fn retire(&self, node: NodeId) -> Result<(), StoreError> {
        self.write("retire", |db| db.retire(node)).await
    }
    async fn insert_run(&self, run: &NewRun, node: NodeId) -> Result<Accepted, StoreError> {
        self.write("insert_run", |db| db.insert_run(run, node)).await
    }
    async fn owner(&self, conversation: ConversationId, node: NodeId) -> Result<Owner, StoreError> {
        self.read("owner", |db| db.owner(conversation, node)).await
    }
    async fn wakeups(&self, node: NodeId) -> Result<Option<Wakeups>, StoreError> {
        self.read("wakeups", |db| Some(db.wakeups(node))).await
    }
    async fn poke(&self, node: Option<NodeId>, conversation: ConversationId) -> Result<(), StoreError> {
        self.write("poke", |db| db.poke(node, conversation)).await
    }
    async fn claim(&self, conversation: ConversationId, node: NodeId) -> Result<Option<Fence>, StoreError> {
        self.write("claim", |db| db.claim(conversation, node)).await
    }
    async fn holds(&self, fence: Fence) -> Result<bool, StoreError> {
        self.read("holds", |db| db.with(|t| t.epoch == fence.epoch)).await
    }
    async fn release(&self, fence: Fence) -> Result<(), StoreError> {
        self.write("release", |db| db.release(fence)).await
    }
    async fn load(&self, conversation: ConversationId) -> Result<Option<Loaded>, StoreError> {
        self.read("load", |db| db.with(|t| (t.world.conversation.id == conversation).then(|| t.world.loaded()))).await
    }
    async fn load_snapshot(&self, _: AgentId) -> Result<Option<AgentSnapshot>, StoreError> {
        self.read("load_snapshot", |db| Some(db.with(|t| t.world.snapshot.clone()))).await
    }
    async fn run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        self.read("run", |db| db.with(|t| t.world.runs.get(&id).cloned())).await
    }
    async fn messages_of(&self, run: RunId) -> Result<Vec<Message>, StoreError> {
        self.read("messages_of", |db| {
            db.with(|t| t.world.messages.values().filter(|m| m.run_id == Some(run)).map(|m| (**m).clone()).collect())
        })
        .await
    }
    async fn open_runs(&self, _: ConversationId) -> Result<Vec<RunId>, StoreError> {
        self.read("open_runs", |db| db.with(|t| t.open())).await
    }
    async fn stranded(&self, node: NodeId, _: i64) -> Result<Vec<ConversationId>, StoreError> {
        self.read("stranded", |db| db.stranded(node)).await
    }
    async fn waiting(&self, node: NodeId, _: i64) -> Result<Vec<(ConversationId, RunId)>, StoreError> {
        self.read("waiting", |db| db.waiting(node)).await
    }
    async fn append_events(&self, fence: Fence, run: RunId, events: &[LoggedEvent]) -> Result<bool, StoreError> {
        self.call("append_events", true, |db| db.append_events(fence, run, events)).await
    }
    async fn events(&self, run: RunId, after: i64, limit: i64) -> Result<Vec<LoggedEvent>, StoreError> {
        self.read("events", |db| db.events(run, after, limit)).await
    }
    async fn last_event(&self, run: RunId) -> Result<i64, StoreError> {
        self.read("last_event", |db| db.last_event(run)).await
    }
    async fn seize(&self, id: RunId, reason: StopReason, _: Time) -> Result<bool, StoreError> {
        self.write("seize", |db| db.seize(id, reason)).await
    }
    async fn commit(&self, fence: Fence, commit: &Commit) -> Result<CommitOutcome, StoreError> {
        self.call("commit", true, |db| db.commit(fence, commit)).await
    }
    async fn end_run(&self, id: RunId, reason: StopReason, error: Option<&str>, _: Time) -> Result<bool, StoreError> {
        self.write("end_run", |db| db.end_run(id, reason, error)).await
    }
}

impl Clock for Port {
    fn now(&self) -> Time {
        self.db.now()
    }
    fn monotonic_ns(&self) -> i64 {
        self.db.now().timestamp_nanos_opt().unwrap_or(0)
    }
}

impl Ids for Port {
    fn uuid(&self) -> Uuid {
        self.db.uuid()
    }
}
