//! Deletes agents that were made for one piece of work and have done it.

use std::{sync::Arc, time::Duration};

use engram_core::ports::StoreError;

use super::{Plan, Until};
use crate::Inner;

pub(super) const PLAN: Plan = Plan {
    name: "ephemeral_agents",
    every: Duration::from_secs(1),
    jitter: Duration::from_millis(300),
    until: Until::Draining,
};

/// Agents that one statement deletes at most.
const BATCH: i64 = 200;

pub(super) async fn perform(inner: &Arc<Inner>) -> Result<bool, StoreError> {
    let agents = inner.ports.store.sweep_ephemeral(inner.ports.clock.now(), BATCH).await?;
    if agents > 0 {
        tracing::info!(agents, "agents that have done their work are gone");
    }
    Ok(i64::try_from(agents).is_ok_and(|n| n >= BATCH))
}
