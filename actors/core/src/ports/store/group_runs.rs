//! Driving runs whose owner is a group.

use async_trait::async_trait;
use engram_domain::{AgentId, ConversationId, Group, GroupId, Json, NodeId, Run, RunId, StopReason, Time};

use super::{LoggedEvent, StoreError};
use crate::{group::Member, step::RunError};

/// The right to drive a group's runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupFence {
    /// The group.
    pub group_id: GroupId,
    /// Grows with every claim; what is written with an older one is refused.
    pub epoch: i64,
}

/// A group's run that is to be driven. Who takes part is settled when it begins: members that come or go meanwhile change
/// nothing, so that a driver that begins again gets the same turns.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupTask {
    /// The run.
    pub run: Run,
    /// The group.
    pub group: Group,
    /// Its members, in its order.
    pub members: Vec<Member>,
    /// Its manager.
    pub manager: Option<Member>,
}

/// How a group's run ends.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupRunEnd {
    /// The run.
    pub run: RunId,
    /// Why.
    pub stop_reason: StopReason,
    /// What went wrong.
    pub error: Option<RunError>,
    /// The event that tells it.
    pub event: Json,
}

/// A group's run that was just ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedGroupRun {
    /// The number of its last event.
    pub number: i64,
    /// The group's manager.
    pub manager: Option<AgentId>,
}

/// A run of an agent that is a turn of a group's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnRun {
    /// The run.
    pub id: RunId,
    /// The agent's conversation.
    pub conversation_id: ConversationId,
    /// Whether it is not over.
    pub open: bool,
}

/// Groups and their runs, for whoever drives them. They are accepted and read as every run is. A store without
/// groups needs none of these methods.
#[async_trait]
pub trait GroupRuns: Send + Sync + 'static {
    /// Groups with open runs that no other node alive owns: what `node` owns, and what nobody does.
    async fn orphaned_groups(&self, node: NodeId) -> Result<Vec<GroupId>, StoreError> {
        let _ = node;
        Ok(Vec::new())
    }

    /// Claims a group for this node if nobody else who is alive owns it. None when somebody does, or when it is gone.
    async fn claim_group(&self, group: GroupId, node: NodeId) -> Result<Option<GroupFence>, StoreError> {
        let _ = (group, node);
        Ok(None)
    }

    /// Gives it back.
    async fn release_group(&self, fence: GroupFence) -> Result<(), StoreError> {
        let _ = fence;
        Ok(())
    }

    /// The group's open run that was begun already, else the oldest one, which begins. None when no run is open, or when
    /// another node has claimed the group.
    async fn begin_group_run(&self, fence: GroupFence, now: Time) -> Result<Option<GroupTask>, StoreError> {
        let _ = (fence, now);
        Ok(None)
    }

    /// Appends events to the run's log, and updates what the run has cost from what its turns have. False, and nothing is
    /// written, when another node has claimed the group, or when the run is over.
    async fn advance_group_run(
        &self,
        fence: GroupFence,
        run: RunId,
        events: &[LoggedEvent],
        now: Time,
    ) -> Result<bool, StoreError> {
        let _ = (fence, run, events, now);
        Ok(false)
    }

    /// Ends a run of the group, with its last event. Without a fence this is a cancellation, which any node may carry out.
    /// None when the run is over, or when another node has claimed the group.
    async fn end_group_run(
        &self,
        group: GroupId,
        fence: Option<GroupFence>,
        end: &GroupRunEnd,
        now: Time,
    ) -> Result<Option<EndedGroupRun>, StoreError> {
        let _ = (group, fence, end, now);
        Ok(None)
    }

    /// The turns of a run, in their order. They are there even when the run itself was deleted.
    async fn turns(&self, run: RunId) -> Result<Vec<TurnRun>, StoreError> {
        let _ = run;
        Ok(Vec::new())
    }

    /// Updates what a run has cost after turns of it were cancelled.
    async fn sum_turns(&self, run: RunId) -> Result<(), StoreError> {
        let _ = run;
        Ok(())
    }
}
