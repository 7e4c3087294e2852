//! What agents do together or by the clock: the store's side of [`CompanyStore`]. Each method is a line here and a
//! statement in the file of its subject.

mod companions;
mod group_runs;
mod sleep;
mod voice;

use async_trait::async_trait;
use engram_core::ports::{
    CompanyStore, GroupRun, Ids, StoreError,
    company::{Begun, Claim, GroupAccepted},
};
use engram_domain::{GroupId, NodeId, RunId, StopReason, Time};

use crate::Store;

#[async_trait]
impl CompanyStore for Store {
    async fn insert_group_run(
        &self,
        run: &GroupRun,
        max_queue: i64,
        node: NodeId,
    ) -> Result<GroupAccepted, StoreError> {
        self.store_group_run(run, max_queue, node).await
    }

    async fn stranded_groups(&self, node: NodeId) -> Result<Vec<GroupId>, StoreError> {
        self.groups_to_drive(node).await
    }

    async fn claim_group_run(&self, group: GroupId, node: NodeId) -> Result<Claim, StoreError> {
        self.take_group_run(group, node).await
    }

    async fn group_run_is_open(&self, id: RunId) -> Result<bool, StoreError> {
        self.is_group_run_open(id).await
    }

    async fn prune_group_runs(&self, before: Time) -> Result<u64, StoreError> {
        self.drop_group_runs(before).await
    }

    async fn end_group_run(
        &self,
        id: RunId,
        stop_reason: StopReason,
        error: Option<&str>,
        now: Time,
    ) -> Result<bool, StoreError> {
        self.end_open_group_run(id, stop_reason, error, now).await
    }

    async fn begin_scheduled(&self, now: Time, limit: i64, ids: &dyn Ids) -> Result<Vec<Begun>, StoreError> {
        let due = self.claim_due(now, limit, ids).await?;
        Ok(due.into_iter().map(|due| (due.agent_id.default_conversation(), due.run_id)).collect())
    }

    async fn begin_sleep(&self, now: Time, limit: i64, ids: &dyn Ids) -> Result<Vec<Begun>, StoreError> {
        let mut begun = self.begin_sleep_runs(now, limit, ids).await?;
        begun.extend(self.begin_voice_runs(now, limit, ids).await?);
        Ok(begun)
    }

    async fn sweep_ephemeral(&self, now: Time, limit: i64) -> Result<u64, StoreError> {
        Self::sweep_ephemeral(self, now, limit).await
    }
}
