//! What begins by itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use engram_core::ports::{
    CompanyStore, Ids, StoreError,
    company::{Begun, Claim, GroupAccepted, GroupRun},
};
use engram_domain::{ConversationId, GroupId, NodeId, RunId, StopReason, Time};

use crate::house::House;

/// So many schedules are due. Their agents are gone when they are woken.
struct Due(AtomicI64);

#[async_trait]
impl CompanyStore for Due {
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
    async fn sweep_ephemeral(&self, _: Time, _: i64) -> Result<u64, StoreError> {
        Ok(0)
    }
    async fn end_group_run(&self, _: RunId, _: StopReason, _: Option<&str>, _: Time) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn begin_scheduled(&self, _: Time, limit: i64, ids: &dyn Ids) -> Result<Vec<Begun>, StoreError> {
        let begun = self.0.load(Ordering::SeqCst).min(limit);
        self.0.fetch_sub(begun, Ordering::SeqCst);
        Ok((0..begun).map(|_| (ConversationId(ids.uuid()), RunId(ids.uuid()))).collect())
    }
    async fn begin_sleep(&self, _: Time, _: i64, _: &dyn Ids) -> Result<Vec<Begun>, StoreError> {
        Ok(Vec::new())
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_due_does_not_wait_for_the_next_second() {
    let mut house = House::new();
    let due = Arc::new(Due(AtomicI64::new(1_050)));
    house.company = due.clone();
    let started = tokio::time::Instant::now();
    let _node = house.node("a").await;
    house.until("everything is begun", || due.0.load(Ordering::SeqCst) == 0).await;
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
}
