//! Deletes the events of background runs that ended long ago.

use std::{sync::Arc, time::Duration};

use engram_core::ports::StoreError;

use super::{Plan, Until};
use crate::Inner;

/// Every hour on the hour, as all nodes do: the first of them does it for all, when they do not begin at once.
pub(super) const PLAN: Plan =
    Plan { name: "prune_events", every: Duration::from_hours(1), jitter: Duration::from_mins(5), until: Until::Closed };

pub(super) async fn perform(inner: &Arc<Inner>) -> Result<bool, StoreError> {
    match inner.ports.store.prune_events(inner.ports.clock.now()).await? {
        0 => {}
        events => tracing::info!(events, "deleted events of runs that ended long ago"),
    }
    Ok(false)
}
