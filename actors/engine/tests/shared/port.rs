//! The database as one node reaches it: every call passes through the weather, which may delay it, refuse it, lose
//! its answer, or never come back.

use std::sync::Arc;

use async_trait::async_trait;
use engram_core::ports::{
    AcceptRuns, Accepted, Clock, Commit, CommitOutcome, Commits, EphemeralAgents, Fence, GroupRuns, Ids, Leases,
    Loaded, LoggedEvent, NewRun, NodeInfo, NodeStatus, Nodes, Notifications, Owner, Peer, RunLog, Runs, Schedules,
    SleepTime, Snapshots, StoreError, VoiceSleepTime, Wakeups,
    store::{AgentSnapshot, Begun, EndedGroupRun, GroupFence, GroupRunEnd, GroupTask, ScheduledRun, TurnRun},
};
use engram_domain::{AgentId, ConversationId, GroupId, Message, NodeId, Run, RunId, RunOwner, StopReason, Time};
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
impl Nodes for Port {
    async fn heartbeat(&self, node: &NodeInfo, status: NodeStatus) -> Result<(), StoreError> {
        self.read("heartbeat", |db| db.heartbeat(node, status)).await
    }
    async fn other_nodes(&self, node: NodeId) -> Result<Vec<Peer>, StoreError> {
        self.read("other_nodes", |db| db.other_nodes(node)).await
    }
    async fn retire(&self, node: NodeId) -> Result<(), StoreError> {
        self.write("retire", |db| db.retire(node)).await
    }
}

#[async_trait]
impl Notifications for Port {
    async fn wakeups(&self, node: NodeId) -> Result<Option<Wakeups>, StoreError> {
        self.read("wakeups", |db| Some(db.wakeups(node))).await
    }
    async fn notify(&self, node: Option<NodeId>, owner: RunOwner) -> Result<(), StoreError> {
        self.write("notify", |db| db.notify(node, owner)).await
    }
}

#[async_trait]
impl AcceptRuns for Port {
    async fn accept_run(&self, run: &NewRun, node: NodeId) -> Result<Accepted, StoreError> {
        self.write("accept_run", |db| db.accept_run(run, node)).await
    }
}

#[async_trait]
impl Leases for Port {
    async fn owner(&self, owner: RunOwner, node: NodeId) -> Result<Owner, StoreError> {
        self.read("owner", |db| db.owner(owner, node)).await
    }
    async fn claim(&self, conversation: ConversationId, node: NodeId) -> Result<Option<Fence>, StoreError> {
        self.write("claim", |db| db.claim(conversation, node)).await
    }
    async fn holds(&self, fence: Fence) -> Result<bool, StoreError> {
        self.read("holds", |db| db.holds(fence)).await
    }
    async fn release(&self, fence: Fence) -> Result<(), StoreError> {
        self.write("release", |db| db.release(fence)).await
    }
    async fn revoke(&self, id: RunId, reason: StopReason, _: Time) -> Result<bool, StoreError> {
        self.write("revoke", |db| db.revoke(id, reason)).await
    }
    async fn orphaned(&self, node: NodeId, _: i64) -> Result<Vec<ConversationId>, StoreError> {
        self.read("orphaned", |db| db.orphaned(node)).await
    }
    async fn waiting(&self, node: NodeId, _: i64) -> Result<Vec<(ConversationId, RunId)>, StoreError> {
        self.read("waiting", |db| db.waiting(node)).await
    }
}

#[async_trait]
impl Snapshots for Port {
    async fn load(&self, conversation: ConversationId) -> Result<Option<Loaded>, StoreError> {
        self.read("load", |db| db.with(|t| t.place(conversation).map(|place| place.world.loaded()))).await
    }
    async fn load_snapshot(&self, agent: AgentId) -> Result<Option<AgentSnapshot>, StoreError> {
        self.read("load_snapshot", |db| db.snapshot(agent)).await
    }
}

#[async_trait]
impl Runs for Port {
    async fn run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        self.read("run", |db| db.with(|t| t.run(id).cloned())).await
    }
    async fn messages_of(&self, run: RunId) -> Result<Vec<Message>, StoreError> {
        self.read("messages_of", |db| {
            db.with(|t| {
                let all = t.places().flat_map(|place| place.world.messages.values());
                all.filter(|m| m.run_id == Some(run)).map(|m| (**m).clone()).collect()
            })
        })
        .await
    }
    async fn open_runs(&self, owner: RunOwner) -> Result<Vec<RunId>, StoreError> {
        self.read("open_runs", |db| db.with(|t| t.open_of(owner))).await
    }
    async fn end_run(&self, id: RunId, reason: StopReason, error: Option<&str>, _: Time) -> Result<bool, StoreError> {
        self.write("end_run", |db| db.end_run(id, reason, error)).await
    }
}

#[async_trait]
impl RunLog for Port {
    async fn append_events(&self, fence: Fence, run: RunId, events: &[LoggedEvent]) -> Result<bool, StoreError> {
        self.call("append_events", true, |db| db.append_events(fence, run, events)).await
    }
    async fn events(&self, run: RunId, after: i64, limit: i64) -> Result<Vec<LoggedEvent>, StoreError> {
        self.read("events", |db| db.events(run, after, limit)).await
    }
    async fn last_event(&self, run: RunId) -> Result<i64, StoreError> {
        self.read("last_event", |db| db.last_event(run)).await
    }
    async fn prune_events(&self, _: Time) -> Result<u64, StoreError> {
        Ok(0)
    }
}

#[async_trait]
impl Commits for Port {
    async fn commit(&self, fence: Fence, commit: &Commit) -> Result<CommitOutcome, StoreError> {
        self.call("commit", true, |db| db.commit(fence, commit)).await
    }
}

#[async_trait]
impl Schedules for Port {
    async fn begin_scheduled(&self, now: Time, limit: i64, _: &dyn Ids) -> Result<Vec<ScheduledRun>, StoreError> {
        let changes = self.db.schedules_are_due();
        self.call("begin_scheduled", changes, |db| Ok(db.begin_scheduled(now, limit))).await
    }
}

#[async_trait]
impl SleepTime for Port {
    async fn begin_sleep_time(&self, now: Time, _: i64, _: &dyn Ids) -> Result<Vec<Begun>, StoreError> {
        let changes = self.db.sleep_is_due();
        self.call("begin_sleep_time", changes, |db| Ok(db.begin_sleep_time(now))).await
    }
}

#[async_trait]
impl VoiceSleepTime for Port {
    async fn begin_voice_sleep_time(&self, _: Time, _: i64, _: &dyn Ids) -> Result<Vec<Begun>, StoreError> {
        self.read("begin_voice_sleep_time", |_| Vec::new()).await
    }
}

#[async_trait]
impl EphemeralAgents for Port {
    async fn sweep_ephemeral(&self, _: Time, _: i64) -> Result<u64, StoreError> {
        self.read("sweep_ephemeral", |_| 0).await
    }
}

#[async_trait]
impl GroupRuns for Port {
    async fn orphaned_groups(&self, node: NodeId) -> Result<Vec<GroupId>, StoreError> {
        self.read("orphaned_groups", |db| db.orphaned_groups(node)).await
    }
    async fn claim_group(&self, group: GroupId, node: NodeId) -> Result<Option<GroupFence>, StoreError> {
        self.write("claim_group", |db| db.claim_group(group, node)).await
    }
    async fn release_group(&self, fence: GroupFence) -> Result<(), StoreError> {
        self.write("release_group", |db| db.release_group(fence)).await
    }
    async fn begin_group_run(&self, fence: GroupFence, _: Time) -> Result<Option<GroupTask>, StoreError> {
        self.write("begin_group_run", |db| db.begin_group_run(fence)).await
    }
    async fn advance_group_run(
        &self,
        fence: GroupFence,
        run: RunId,
        events: &[LoggedEvent],
        _: Time,
    ) -> Result<bool, StoreError> {
        let changes = !events.is_empty();
        self.call("advance_group_run", changes, |db| db.advance_group_run(fence, run, events)).await
    }
    async fn end_group_run(
        &self,
        group: GroupId,
        fence: Option<GroupFence>,
        end: &GroupRunEnd,
        _: Time,
    ) -> Result<Option<EndedGroupRun>, StoreError> {
        self.write("end_group_run", |db| db.end_group_run(group, fence, end)).await
    }
    async fn turns(&self, run: RunId) -> Result<Vec<TurnRun>, StoreError> {
        self.read("turns", |db| db.turn_runs(run)).await
    }
    async fn sum_turns(&self, run: RunId) -> Result<(), StoreError> {
        self.write("sum_turns", |db| db.sum_turns(run)).await
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
