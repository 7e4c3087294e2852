//! What agents do together or by the clock: groups, sleep-time companions, schedules.

use async_trait::async_trait;
use engram_domain::{ConversationId, Group, GroupId, NodeId, RunId, RunInput, StopReason, Time};

use super::{Ids, StoreError};
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
    /// Under which name it is known when it comes again.
    pub key: Option<String>,
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

/// A run that was begun for an agent, and the conversation that it waits in.
pub type Begun = (ConversationId, RunId);

/// The part of the store for what agents do together.
#[async_trait]
pub trait CompanyStore: Send + Sync + 'static {
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

    /// Begins what schedules want at this time, at most `limit`; each time of a schedule once, however many ask.
    async fn begin_scheduled(&self, now: Time, limit: i64, ids: &dyn Ids) -> Result<Vec<Begun>, StoreError>;

    /// Begins the runs of sleep-time companions that are due by the committed turns of their groups, by their agents'
    /// idleness, or by their groups' own times; each once, however many ask.
    async fn begin_sleep(&self, now: Time, limit: i64, ids: &dyn Ids) -> Result<Vec<Begun>, StoreError>;

    /// Deletes agents that were made for one piece of work and have done it, at most `limit`. How many.
    async fn sweep_ephemeral(&self, now: Time, limit: i64) -> Result<u64, StoreError>;
}

/// For an engine whose agents have nothing to do together.
pub struct NoCompany;

#[async_trait]
impl CompanyStore for NoCompany {
    async fn insert_group_run(&self, _: &GroupRun, _: i64, _: NodeId) -> Result<GroupAccepted, StoreError> {
        Ok(GroupAccepted::NotFound)
    }

    async fn stranded_groups(&self, _: NodeId) -> Result<Vec<GroupId>, StoreError> {
        Ok(Vec::new())
    }

    async fn claim_group_run(&self, _: GroupId, _: NodeId) -> Result<Claim, StoreError> {
        Ok(Claim::Nothing)
    }

    async fn group_run_is_open(&self, _: RunId) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn prune_group_runs(&self, _: Time) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn end_group_run(&self, _: RunId, _: StopReason, _: Option<&str>, _: Time) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn begin_scheduled(&self, _: Time, _: i64, _: &dyn Ids) -> Result<Vec<Begun>, StoreError> {
        Ok(Vec::new())
    }

    async fn begin_sleep(&self, _: Time, _: i64, _: &dyn Ids) -> Result<Vec<Begun>, StoreError> {
        Ok(Vec::new())
    }

    async fn sweep_ephemeral(&self, _: Time, _: i64) -> Result<u64, StoreError> {
        Ok(0)
    }
}
