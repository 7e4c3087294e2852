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
    /// When it was acknowledged.
    pub created_at: Time,
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

/// What became of the attempt to take a message to a group.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// This node drives it.
    Taken(Box<GroupScene>),
    /// Another message to the group is on, or another node drives this one. Ask again.
    Later,
    /// It is over, or gone with its group.
    Over,
}

/// A run that was begun for an agent, and the conversation that it waits in.
pub type Begun = (ConversationId, RunId);

/// The part of the store for what agents do together.
#[async_trait]
pub trait CompanyStore: Send + Sync + 'static {
    /// Stores a message to a group: this is the acknowledgement. False when there is no such group.
    async fn insert_group_run(&self, run: &GroupRun, node: NodeId) -> Result<bool, StoreError>;

    /// Messages to groups that are not over and that nobody alive drives, oldest first, at most `limit`.
    async fn stranded_group_runs(&self, limit: i64) -> Result<Vec<RunId>, StoreError>;

    /// Takes one for this node, if nobody alive has it. A group's messages are taken one after the other, in the order
    /// in which they were acknowledged.
    async fn claim_group_run(&self, id: RunId, node: NodeId) -> Result<Claim, StoreError>;

    /// Ends one. True when this call ended it.
    async fn end_group_run(
        &self,
        id: RunId,
        stop_reason: StopReason,
        error: Option<&str>,
        now: Time,
    ) -> Result<bool, StoreError>;

    /// Begins what schedules want at this time, at most `limit`; each time of a schedule once, however many ask.
    async fn begin_scheduled(&self, now: Time, limit: i64, ids: &dyn Ids) -> Result<Vec<Begun>, StoreError>;

    /// Begins the runs of sleep-time companions that are due by the committed turns of their groups; each
    /// once, however many ask.
    async fn begin_sleep(&self, now: Time, limit: i64, ids: &dyn Ids) -> Result<Vec<Begun>, StoreError>;
}

/// For an engine whose agents have nothing to do together.
pub struct NoCompany;

#[async_trait]
impl CompanyStore for NoCompany {
    async fn insert_group_run(&self, _: &GroupRun, _: NodeId) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn stranded_group_runs(&self, _: i64) -> Result<Vec<RunId>, StoreError> {
        Ok(Vec::new())
    }

    async fn claim_group_run(&self, _: RunId, _: NodeId) -> Result<Claim, StoreError> {
        Ok(Claim::Over)
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
}
