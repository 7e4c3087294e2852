//! Finds groups with open runs that nobody drives, and drives them here.

use std::{sync::Arc, time::Duration};

use engram_core::ports::StoreError;

use super::{Plan, Until};
use crate::{Inner, groups};

pub(super) const PLAN: Plan = Plan {
    name: "orphaned_groups",
    every: Duration::from_secs(1),
    jitter: Duration::from_millis(100),
    until: Until::Draining,
};

pub(super) async fn perform(inner: &Arc<Inner>) -> Result<bool, StoreError> {
    for group in inner.ports.store.orphaned_groups(inner.settings.node.id).await? {
        groups::drive(inner, group, None);
    }
    Ok(false)
}
