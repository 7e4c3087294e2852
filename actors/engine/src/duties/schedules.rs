//! Begins runs whose time has come. The tables say what is due, and who begins it; this only asks, on every node.

use std::{sync::Arc, time::Duration};

use engram_core::ports::StoreError;

use super::{
    Plan, Until,
    begun::{BATCH, announce},
};
use crate::Inner;

/// As finely as people read a clock.
pub(super) const PLAN: Plan = Plan {
    name: "schedules",
    every: Duration::from_secs(1),
    jitter: Duration::from_millis(100),
    until: Until::Draining,
};

pub(super) async fn perform(inner: &Arc<Inner>) -> Result<bool, StoreError> {
    let due = inner.ports.store.begin_scheduled(inner.ports.clock.now(), BATCH, &*inner.ports.ids).await?;
    announce(inner, due.iter().map(|due| (due.agent_id.default_conversation(), due.run_id)).collect()).await
}
