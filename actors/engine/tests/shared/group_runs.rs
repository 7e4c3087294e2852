//! Groups whose agents speak in turns, and their runs. The rules are those of `engram-store`.

use std::collections::BTreeMap;

use engram_core::{
    group::Member,
    ports::{
        LoggedEvent, StoreError,
        store::{EndedGroupRun, GroupFence, GroupRunEnd, GroupTask, TurnRun},
    },
};
use engram_domain::{Group, GroupId, NodeId, Run, RunId, RunStatus, Usage};

use super::{Db, Tables};

/// A group, who owns it, and its runs.
pub struct GroupPlace {
    pub group: Group,
    pub members: Vec<Member>,
    pub owner: Option<NodeId>,
    pub epoch: i64,
    pub runs: BTreeMap<RunId, Run>,
}

impl GroupPlace {
    pub fn new(group: Group, members: Vec<Member>) -> Self {
        Self { group, members, owner: None, epoch: 0, runs: BTreeMap::new() }
    }

    pub fn open(&self) -> Vec<RunId> {
        super::open(&self.runs)
    }
}

impl Tables {
    /// The turns of a run, in their order.
    pub fn turns(&self, run: RunId) -> Vec<&Run> {
        let all = self.places().flat_map(|place| place.world.runs.values());
        let mut turns: Vec<&Run> = all.filter(|turn| turn.parent == Some(run)).collect();
        turns.sort_by_key(|turn| (turn.created_at, turn.id));
        turns
    }

    /// What a run has cost: what its turns have.
    fn cost(&self, run: RunId) -> (Usage, i32) {
        let (mut usage, mut steps) = (Usage::default(), 0);
        for turn in self.turns(run) {
            usage.add(turn.usage);
            steps += turn.step_count;
        }
        (usage, steps)
    }

    /// An open run of a group that is still owned as the fence says; any owner will do without one.
    fn open_group_run(&mut self, group: GroupId, fence: Option<GroupFence>, run: RunId) -> Option<&mut Run> {
        let place = self.groups.get_mut(&group)?;
        if fence.is_some_and(|fence| fence.epoch != place.epoch) {
            self.fenced += 1;
            return None;
        }
        place.runs.get_mut(&run).filter(|run| !run.status.is_terminal())
    }
}

impl Db {
    pub fn orphaned_groups(&self, node: NodeId) -> Vec<GroupId> {
        self.with(|t| {
            let orphaned = |place: &&GroupPlace| !place.open().is_empty() && t.other_owner(place.owner, node).is_none();
            t.groups.values().filter(orphaned).map(|place| place.group.id).collect()
        })
    }

    pub fn claim_group(&self, group_id: GroupId, node: NodeId) -> Option<GroupFence> {
        self.with(|t| {
            if t.other_owner(t.groups.get(&group_id)?.owner, node).is_some() {
                return None;
            }
            let place = t.groups.get_mut(&group_id)?;
            place.owner = Some(node);
            place.epoch += 1;
            Some(GroupFence { group_id, epoch: place.epoch })
        })
    }

    pub fn release_group(&self, fence: GroupFence) {
        self.with(|t| {
            if let Some(place) = t.groups.get_mut(&fence.group_id).filter(|place| place.epoch == fence.epoch) {
                place.owner = None;
            }
        });
    }

    pub fn begin_group_run(&self, fence: GroupFence) -> Option<GroupTask> {
        self.with(|t| {
            let place = t.groups.get_mut(&fence.group_id).filter(|place| place.epoch == fence.epoch)?;
            let id = place.open().into_iter().next()?;
            let run = place.runs.get_mut(&id)?;
            run.status = RunStatus::Running;
            let run = run.clone();
            Some(GroupTask { run, group: place.group.clone(), members: place.members.clone(), manager: None })
        })
    }

    pub fn advance_group_run(&self, fence: GroupFence, run: RunId, events: &[LoggedEvent]) -> Result<bool, StoreError> {
        self.with(|t| {
            let cost = t.cost(run);
            let Some(row) = t.open_group_run(fence.group_id, Some(fence), run) else { return Ok(false) };
            (row.usage, row.step_count) = cost;
            t.append(run, events)?;
            Ok(true)
        })
    }

    pub fn end_group_run(&self, group: GroupId, fence: Option<GroupFence>, end: &GroupRunEnd) -> Option<EndedGroupRun> {
        self.with(|t| {
            let cost = t.cost(end.run);
            let row = t.open_group_run(group, fence, end.run)?;
            row.status = end.stop_reason.status();
            row.stop_reason = Some(end.stop_reason);
            row.error = end.error.as_ref().map(|error| error.message.clone());
            row.error_kind = end.error.as_ref().map(|error| error.kind.clone());
            (row.usage, row.step_count) = cost;
            let log = t.events.entry(end.run).or_default();
            let number = log.keys().next_back().copied().unwrap_or(0) + 1;
            log.insert(number, end.event.clone());
            Some(EndedGroupRun { number, manager: None })
        })
    }

    pub fn turn_runs(&self, run: RunId) -> Vec<TurnRun> {
        self.with(|t| {
            let turn = |run: &Run| TurnRun {
                id: run.id,
                conversation_id: run.owner.conversation().expect("a turn is of a conversation"),
                open: !run.status.is_terminal(),
            };
            t.turns(run).into_iter().map(turn).collect()
        })
    }

    pub fn sum_turns(&self, run: RunId) {
        self.with(|t| {
            let cost = t.cost(run);
            for place in t.groups.values_mut() {
                if let Some(row) = place.runs.get_mut(&run) {
                    (row.usage, row.step_count) = cost;
                }
            }
        });
    }
}
