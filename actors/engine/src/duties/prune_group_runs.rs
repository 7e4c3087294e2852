//! Deletes messages to groups that ended long ago.

use std::{sync::Arc, time::Duration};

use engram_core::ports::StoreError;

use super::{Plan, Until};
use crate::Inner;

pub(super) const PLAN: Plan = Plan {
    name: "prune_group_runs",
    every: Duration::from_hours(1),
    jitter: Duration::from_mins(5),
    until: Until::Closed,
};

/// How long one that is over is known by its key.
const KEPT: Duration = Duration::from_hours(24);

pub(super) async fn perform(inner: &Arc<Inner>) -> Result<bool, StoreError> {
    inner.ports.store.prune_group_runs(inner.ports.clock.now() - KEPT).await?;
    Ok(false)
}
