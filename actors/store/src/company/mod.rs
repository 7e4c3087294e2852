//! What agents do together or by the clock: the store's side of [`CompanyStore`]. Each method is a line here and a
//! statement in the file of its subject.

mod group_runs;
mod sleep;

use async_trait::async_trait;
use engram_core::ports::{
    CompanyStore, GroupRun, Ids, StoreError,
    company::{Begun, Claim},
};
use engram_domain::{NodeId, RunId, StopReason, Time};

use crate::Store;

#[async_trait]
impl CompanyStore for Store {
    async fn insert_group_run(&self, run: &GroupRun, node: NodeId) -> Result<bool, StoreError> {
        self.store_group_run(run, node).await
    }

    async fn stranded_group_runs(&self, limit: i64) -> Result<Vec<RunId>, StoreError> {
        self.open_group_runs(limit).await
    }

    async fn claim_group_run(&self, id: RunId, node: NodeId) -> Result<Claim, StoreError> {
        self.take_group_run(id, node).await
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
        self.begin_sleep_runs(now, limit, ids).await
    }
}
