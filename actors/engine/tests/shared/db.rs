//! What the database does, in memory: agents, each with its conversation and its runs; groups; keys, events, nodes, and what
//! is due.
//! The rules are those of `engram-store`; leases go by tokio's clock, so tests may stop it.

#[path = "due.rs"]
mod due;
#[path = "group_runs.rs"]
mod group_runs;

use std::{collections::BTreeMap, time::Duration};

pub use due::{Alarm, SleepGroup};
use engram_core::ports::{
    Accepted, Commit, CommitOutcome, Fence, Ids, LoggedEvent, NewRun, NodeInfo, NodeStatus, Owner, Peer, StoreError,
    Wakeup, Wakeups, store::BlockWrite,
};
use engram_domain::{
    AgentId, BusyPolicy, ConversationId, GroupId, Json, NodeId, Run, RunId, RunOwner, RunStatus, StopReason, Time,
};
use engram_testkit::World;
use futures::{StreamExt, channel::mpsc};
pub use group_runs::GroupPlace;
use parking_lot::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

/// How long a node counts as alive after its last heartbeat.
const LEASE: Duration = Duration::from_secs(3);
/// How long a run waits before it is looked at as one that its owner may not have heard of.
const WAITS: Duration = Duration::from_secs(2);

struct Node {
    info: NodeInfo,
    seen: Instant,
    draining: bool,
    retired: bool,
}

impl Node {
    fn alive(&self) -> bool {
        !self.retired && self.seen.elapsed() < LEASE
    }
    fn peer(&self) -> Peer {
        Peer { id: self.info.id, url: self.info.url.clone(), secret: self.info.secret.clone() }
    }
}

/// An agent's conversation, and who owns it.
pub struct Place {
    pub world: World,
    pub owner: Option<NodeId>,
    pub epoch: i64,
}

impl Place {
    pub fn new(world: World) -> Self {
        Self { world, owner: None, epoch: 0 }
    }
    fn id(&self) -> ConversationId {
        self.world.conversation.id
    }
    pub fn open(&self) -> Vec<RunId> {
        open(&self.world.runs)
    }
}

/// Runs that are not over: one that was begun first, the others in the order of their ids, which is that in which they
/// were accepted. Clocks have no say.
fn open(runs: &BTreeMap<RunId, Run>) -> Vec<RunId> {
    let mut open: Vec<&Run> = runs.values().filter(|r| !r.status.is_terminal()).collect();
    open.sort_by_key(|r| (r.status != RunStatus::Running, r.id));
    open.into_iter().map(|r| r.id).collect()
}

/// The tables.
pub struct Tables {
    /// The agent that clients speak to.
    pub main: Place,
    /// The other agents.
    pub others: BTreeMap<ConversationId, Place>,
    pub groups: BTreeMap<GroupId, GroupPlace>,
    nodes: BTreeMap<NodeId, Node>,
    pub keys: BTreeMap<String, RunId>,
    pub events: BTreeMap<RunId, BTreeMap<i64, Json>>,
    ears: Vec<(NodeId, mpsc::UnboundedSender<Result<Wakeup, StoreError>>)>,
    /// Times at which the agent is told something.
    pub alarms: Vec<Alarm>,
    /// Schedules that are due, of agents that are gone.
    pub due_schedules: usize,
    /// The agent's companions.
    pub sleep: Option<SleepGroup>,
    /// Commits that were refused because another owner had the conversation.
    pub fenced: usize,
}

/// The database.
pub struct Db {
    tables: Mutex<Tables>,
    started: Instant,
}

impl Tables {
    /// All agents.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        std::iter::once(&self.main).chain(self.others.values())
    }
    pub fn place(&self, id: ConversationId) -> Option<&Place> {
        if self.main.id() == id { Some(&self.main) } else { self.others.get(&id) }
    }
    fn place_mut(&mut self, id: ConversationId) -> Option<&mut Place> {
        if self.main.id() == id { Some(&mut self.main) } else { self.others.get_mut(&id) }
    }
    pub fn run(&self, id: RunId) -> Option<&Run> {
        let of_groups = || self.groups.values().find_map(|group| group.runs.get(&id));
        self.places().find_map(|place| place.world.runs.get(&id)).or_else(of_groups)
    }
    /// Runs that are not over, of all agents and groups.
    pub fn open(&self) -> Vec<RunId> {
        self.places().flat_map(Place::open).chain(self.groups.values().flat_map(GroupPlace::open)).collect()
    }
    pub fn open_of(&self, owner: RunOwner) -> Vec<RunId> {
        match owner {
            RunOwner::Conversation(id) => self.place(id).map(Place::open),
            RunOwner::Group(id) => self.groups.get(&id).map(GroupPlace::open),
        }
        .unwrap_or_default()
    }
    fn alive(&self, node: NodeId) -> Option<&Node> {
        self.nodes.get(&node).filter(|n| n.alive())
    }
    fn other_owner(&self, owner: Option<NodeId>, node: NodeId) -> Option<Peer> {
        self.alive(owner.filter(|owner| *owner != node)?).map(Node::peer)
    }
    /// Which node owned it last. None when there is no such conversation or group.
    #[expect(clippy::option_option, reason = "no such conversation or group, nobody, somebody")]
    fn owner(&self, owner: RunOwner) -> Option<Option<NodeId>> {
        match owner {
            RunOwner::Conversation(id) => self.place(id).map(|place| place.owner),
            RunOwner::Group(id) => self.groups.get(&id).map(|group| group.owner),
        }
    }
    fn end(&mut self, id: RunId, reason: StopReason, error: Option<&str>) -> bool {
        let Some(place) = self.run(id).and_then(|run| run.owner.conversation()) else { return false };
        let run = self.place_mut(place).and_then(|place| place.world.runs.get_mut(&id));
        let Some(run) = run.filter(|r| !r.status.is_terminal()) else { return false };
        run.status = reason.status();
        run.stop_reason = Some(reason);
        run.error = error.map(str::to_owned);
        true
    }
    fn append(&mut self, run: RunId, events: &[LoggedEvent]) -> Result<(), StoreError> {
        let log = self.events.entry(run).or_default();
        if let Some(taken) = events.iter().find(|e| log.contains_key(&e.seq)) {
            return Err(StoreError::Conflict(format!("event {} of {run} exists", taken.seq)));
        }
        log.extend(events.iter().map(|e| (e.seq, e.event.clone())));
        Ok(())
    }
    fn accept(&mut self, new: &NewRun, node: NodeId) -> Accepted {
        let Some(owner) = self.owner(new.owner) else { return Accepted::NotFound };
        let mut keys: Vec<String> = new.keys.iter().map(ToString::to_string).collect();
        keys.sort();
        if let Some(known) = keys.iter().find_map(|key| self.keys.get(key)).and_then(|id| self.run(*id)) {
            return Accepted::Known(Box::new(known.clone()));
        }
        let agent = new.owner.conversation().and_then(|id| self.place(id)).map(|place| &place.world.snapshot.agent);
        let (rev, policy) = agent.map_or((0, BusyPolicy::Queue), |agent| (agent.rev, agent.busy_policy));
        let policy = new.busy_policy.unwrap_or(policy);
        let open = self.open_of(new.owner);
        if policy == BusyPolicy::Reject
            && let Some(busy) = open.first()
        {
            return Accepted::Busy(*busy);
        }
        if i64::try_from(open.len()).unwrap_or(i64::MAX) >= new.max_queue {
            return Accepted::Full;
        }
        let owner = self.other_owner(owner, node);
        let interrupts = policy == BusyPolicy::Interrupt;
        let run = new.clone().into_run(interrupts);
        match new.owner {
            RunOwner::Conversation(id) => {
                self.place_mut(id).expect("it was there").world.runs.insert(run.id, run);
            }
            RunOwner::Group(id) => {
                self.groups.get_mut(&id).expect("it was there").runs.insert(run.id, run);
            }
        }
        self.keys.extend(keys.into_iter().map(|key| (key, new.id)));
        Accepted::Stored { rev, owner, policy: if interrupts { policy } else { BusyPolicy::Queue } }
    }
}

impl Db {
    pub fn new(world: World) -> Self {
        let tables = Tables {
            main: Place::new(world),
            others: BTreeMap::new(),
            groups: BTreeMap::new(),
            nodes: BTreeMap::new(),
            keys: BTreeMap::new(),
            events: BTreeMap::new(),
            ears: Vec::new(),
            alarms: Vec::new(),
            due_schedules: 0,
            sleep: None,
            fenced: 0,
        };
        Self { tables: Mutex::new(tables), started: Instant::now() }
    }

    /// Looks at the tables, or changes them behind everybody's back.
    pub fn with<T>(&self, look: impl FnOnce(&mut Tables) -> T) -> T {
        look(&mut self.tables.lock())
    }

    pub fn now(&self) -> Time {
        let micros = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        Time::UNIX_EPOCH + chrono::Duration::microseconds(micros)
    }

    pub fn uuid(&self) -> Uuid {
        self.with(|t| t.main.world.ids.uuid())
    }

    pub fn heartbeat(&self, info: &NodeInfo, status: NodeStatus) {
        self.with(|t| {
            if !t.nodes.contains_key(&info.id) {
                t.nodes.values_mut().filter(|n| n.info.name == info.name).for_each(|n| n.retired = true);
            }
            let seen = Instant::now();
            t.nodes.insert(info.id, Node { info: info.clone(), seen, draining: status.draining, retired: false });
        });
    }

    pub fn other_nodes(&self, node: NodeId) -> Vec<Peer> {
        self.with(|t| {
            t.nodes.values().filter(|n| n.info.id != node && !n.draining && n.alive()).map(Node::peer).collect()
        })
    }

    pub fn retire(&self, node: NodeId) {
        self.with(|t| {
            if let Some(node) = t.nodes.get_mut(&node) {
                node.retired = true;
            }
        });
    }

    pub fn accept_run(&self, new: &NewRun, node: NodeId) -> Accepted {
        self.with(|t| t.accept(new, node))
    }

    pub fn owner(&self, owner: RunOwner, node: NodeId) -> Owner {
        self.with(|t| match t.owner(owner) {
            None => Owner::Gone,
            Some(owner) if owner == Some(node) => Owner::Me,
            Some(owner) => t.other_owner(owner, node).map_or(Owner::Nobody, Owner::Peer),
        })
    }

    pub fn wakeups(&self, node: NodeId) -> Wakeups {
        let (ear, wakeups) = mpsc::unbounded();
        self.with(|t| t.ears.push((node, ear)));
        wakeups.boxed()
    }

    pub fn notify(&self, node: Option<NodeId>, owner: RunOwner) {
        self.with(|t| {
            t.ears.retain(|(id, ear)| {
                node.is_some_and(|node| node != *id) || ear.unbounded_send(Ok(Wakeup::Work(owner))).is_ok()
            });
        });
    }

    pub fn claim(&self, conversation_id: ConversationId, node: NodeId) -> Option<Fence> {
        self.with(|t| {
            if t.place(conversation_id).is_none_or(|place| t.other_owner(place.owner, node).is_some()) {
                return None;
            }
            let place = t.place_mut(conversation_id)?;
            place.owner = Some(node);
            place.epoch += 1;
            Some(Fence { conversation_id, epoch: place.epoch })
        })
    }

    pub fn holds(&self, fence: Fence) -> bool {
        self.with(|t| t.place(fence.conversation_id).is_some_and(|place| place.epoch == fence.epoch))
    }

    pub fn release(&self, fence: Fence) {
        self.with(|t| {
            if let Some(place) = t.place_mut(fence.conversation_id).filter(|place| place.epoch == fence.epoch) {
                place.owner = None;
            }
        });
    }

    pub fn orphaned(&self, node: NodeId) -> Vec<ConversationId> {
        self.with(|t| {
            let orphaned = |place: &&Place| {
                place.owner != Some(node) && t.other_owner(place.owner, node).is_none() && !place.open().is_empty()
            };
            t.places().filter(orphaned).map(Place::id).collect()
        })
    }

    pub fn waiting(&self, node: NodeId) -> Vec<(ConversationId, RunId)> {
        let before = self.now() - chrono::Duration::from_std(WAITS).expect("it is short");
        self.with(|t| {
            let waits = |r: &&Run| r.status == RunStatus::Created && r.created_at < before;
            let owned = t.places().filter(|place| place.owner == Some(node));
            let mut runs: Vec<_> = owned
                .flat_map(|place| place.world.runs.values().filter(waits))
                .filter_map(|r| Some((r.created_at, r.id, r.owner.conversation()?)))
                .collect();
            runs.sort();
            runs.into_iter().map(|(_, run, conversation)| (conversation, run)).collect()
        })
    }

    pub fn snapshot(&self, agent: AgentId) -> Option<engram_core::ports::AgentSnapshot> {
        self.with(|t| t.place(agent.default_conversation()).map(|place| place.world.snapshot.clone()))
    }

    pub fn append_events(&self, fence: Fence, run: RunId, events: &[LoggedEvent]) -> Result<bool, StoreError> {
        self.with(|t| {
            let holds = t.place(fence.conversation_id).is_some_and(|place| place.epoch == fence.epoch);
            if !holds || t.run(run).is_none_or(|run| run.status.is_terminal()) {
                t.fenced += 1;
                return Ok(false);
            }
            t.append(run, events)?;
            Ok(true)
        })
    }

    pub fn events(&self, run: RunId, after: i64, limit: i64) -> Vec<LoggedEvent> {
        self.with(|t| {
            let log = t.events.get(&run).into_iter().flat_map(|log| log.range(after + 1..));
            log.map(|(seq, event)| LoggedEvent { seq: *seq, event: event.clone() })
                .take(usize::try_from(limit).unwrap_or(0))
                .collect()
        })
    }

    pub fn last_event(&self, run: RunId) -> i64 {
        self.with(|t| t.events.get(&run).and_then(|log| log.keys().next_back()).copied().unwrap_or(0))
    }

    pub fn revoke(&self, id: RunId, reason: StopReason) -> bool {
        self.with(|t| {
            let ended = t.end(id, reason, None);
            let conversation = t.run(id).and_then(|run| run.owner.conversation());
            if let Some(place) = conversation.filter(|_| ended).and_then(|id| t.place_mut(id)) {
                place.owner = None;
                place.epoch += 1;
            }
            ended
        })
    }

    pub fn end_run(&self, id: RunId, reason: StopReason, error: Option<&str>) -> bool {
        self.with(|t| t.end(id, reason, error))
    }

    pub fn commit(&self, fence: Fence, commit: &Commit) -> Result<CommitOutcome, StoreError> {
        self.with(|t| {
            let Some(place) = t.place(fence.conversation_id) else { return Ok(CommitOutcome::Fenced) };
            let world = &place.world;
            if fence.epoch != place.epoch
                || commit.expect_seq != world.conversation.next_seq
                || commit.run.as_ref().is_some_and(|update| world.runs[&update.id].status.is_terminal())
            {
                t.fenced += 1;
                return Ok(CommitOutcome::Fenced);
            }
            if commit.step.as_ref().is_some_and(|step| world.steps.contains(&step.id)) {
                return Err(StoreError::Conflict("the step exists".into()));
            }
            let mut versions: BTreeMap<_, _> = world.snapshot.blocks.iter().map(|b| (b.id, b.version)).collect();
            for write in &commit.blocks {
                let BlockWrite::Set { id, version, .. } = write else { continue };
                let known = versions.entry(*id).or_default();
                if known != version {
                    return Ok(CommitOutcome::BlockConflict);
                }
                *known += 1;
            }
            if let Some(update) = &commit.run {
                t.append(update.id, &commit.events)?;
                t.count_turn(fence.conversation_id, update);
            }
            let place = t.place_mut(fence.conversation_id).expect("it was there");
            if let Some(update) = &commit.run {
                place.world.move_run(update);
            }
            place.world.write(commit);
            Ok(CommitOutcome::Done { agent_rev: place.world.snapshot.agent.rev })
        })
    }
}
