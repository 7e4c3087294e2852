//! Tells the database that this node lives.
//!
//! It has an interval of its own, by the monotonic clock, and nothing else to wait for. The ticker is too coarse and too
//! fragile for it: that looks at the wall clock every half second, so a heartbeat would come up to half a second late, of the
//! three that a lease lasts, and when somebody sets the clock back, it would not come at all.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use engram_core::ports::{NodeStatus, StoreError};

use super::{Duty, Plan, Until, pause, tick};
use crate::{Inner, metrics};

/// The database gives up a node that was silent for three seconds. To the very end: what a node still owns must not be
/// claimed before it is given back.
pub(super) const PLAN: Plan =
    Plan { name: "heartbeat", every: Duration::from_secs(1), jitter: Duration::ZERO, until: Until::Closed };

/// Pauses between tries of the first one.
const START_PATIENCE: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

pub(super) async fn perform(inner: &Arc<Inner>) -> Result<bool, StoreError> {
    beat(inner).await.map(|()| false)
}

/// Performs it again and again, until the engine has closed.
pub(super) async fn run(inner: Arc<Inner>) {
    while pause(&inner, PLAN.every).await {
        tick(&inner, Duty::Heartbeat).await;
    }
}

/// As [`beat`], when the node starts: a connection that breaks in this very moment is no reason to give up.
pub(crate) async fn first(inner: &Inner) -> Result<(), StoreError> {
    for pause in START_PATIENCE {
        match beat(inner).await {
            Err(StoreError::Unavailable(why) | StoreError::Overloaded(why)) => {
                tracing::warn!(why, "the first heartbeat failed, trying again");
            }
            result => return result,
        }
        tokio::time::sleep(pause).await;
    }
    beat(inner).await
}

/// One heartbeat.
pub(crate) async fn beat(inner: &Inner) -> Result<(), StoreError> {
    let live = inner.registry.len();
    metrics::live(live);
    let status = NodeStatus { live: i64::try_from(live).unwrap_or(i64::MAX), draining: inner.closing.is_cancelled() };
    inner.ports.store.heartbeat(&inner.settings.node, status).await?;
    inner.heard_ns.store(inner.ports.clock.monotonic_ns(), Ordering::Relaxed);
    Ok(())
}
