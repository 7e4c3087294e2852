//! Begins runs of the companions of voice agents: what has left their agents' contexts is told to them.

use std::{sync::Arc, time::Duration};

use engram_core::ports::StoreError;

use super::{
    Plan, Until,
    begun::{BATCH, announce},
};
use crate::Inner;

pub(super) const PLAN: Plan = Plan {
    name: "voice_sleep_time",
    every: Duration::from_secs(1),
    jitter: Duration::from_millis(200),
    until: Until::Draining,
};

pub(super) async fn perform(inner: &Arc<Inner>) -> Result<bool, StoreError> {
    let begun = inner.ports.store.begin_voice_sleep_time(inner.ports.clock.now(), BATCH, &*inner.ports.ids).await?;
    announce(inner, begun).await
}
