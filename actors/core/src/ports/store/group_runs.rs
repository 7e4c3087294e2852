//! Messages to groups whose agents speak in turns.

use async_trait::async_trait;
use engram_domain::{Group, GroupId, NodeId, RequestKey, RunId, RunInput, StopReason, Time};

use super::StoreError;
use crate::group::Member;

/// A message to a group whose agents speak in turns.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupRun {
    /// Its id; runs of members are named after it.
    pub id: RunId,
    /// The group.
    pub group_id: GroupId,
    /// What is asked.
    pub input: RunInput,
    /// Under which key it is known when it comes again.
    pub key: Option<RequestKey>,
    /// When it was acknowledged.
    pub created_at: Time,
}

/// What became of a message to a group.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupAccepted {
    /// It is stored: this is the acknowledgement.
    Stored,
    /// It was stored before, under this id and with this input.
    Known(RunId, Box<RunInput>),
    /// Too many wait already.
    Full,
    /// There is no such group.
    NotFound,
}

/// All that the driver of a message to a group needs. Who takes part is settled when it begins: members that come or
/// go meanwhile change nothing, so that whoever begins again finds the same turns.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupScene {
    /// The message.
    pub run: GroupRun,
    /// The group.
    pub group: Group,
    /// Its members, in its order.
    pub members: Vec<Member>,
    /// Who leads it.
    pub manager: Option<Member>,
}

/// What a group's driver finds to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// Its oldest open message, which this node drives from now on.
    Taken(Box<GroupScene>),
    /// That one is another node's. Ask again.
    Later,
    /// No message is open, or the group is gone.
    Nothing,
}

/// Messages to groups, and who drives them.
#[async_trait]
pub trait GroupRuns: Send + Sync + 'static {
    /// Stores a message to a group, unless `max_queue` of them are open.
    async fn insert_group_run(&self, run: &GroupRun, max_queue: i64, node: NodeId)
    -> Result<GroupAccepted, StoreError>;

    /// Groups with open messages that no other node alive drives: what this one drives, and what nobody does.
    async fn stranded_groups(&self, node: NodeId) -> Result<Vec<GroupId>, StoreError>;

    /// Takes a group's oldest open message for this node, if nobody else alive has it: they are taken one after the
    /// other, in the order in which they were acknowledged.
    async fn claim_group_run(&self, group: GroupId, node: NodeId) -> Result<Claim, StoreError>;

    /// Whether one is neither over nor gone with its group.
    async fn group_run_is_open(&self, id: RunId) -> Result<bool, StoreError>;

    /// Ends one. True when this call ended it.
    async fn end_group_run(
        &self,
        id: RunId,
        stop_reason: StopReason,
        error: Option<&str>,
        now: Time,
    ) -> Result<bool, StoreError>;

    /// Forgets those that ended before this time. How many.
    async fn prune_group_runs(&self, before: Time) -> Result<u64, StoreError>;
}
