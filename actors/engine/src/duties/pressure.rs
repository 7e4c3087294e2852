//! Lets actors with nothing to do leave memory while it is short.

use std::{sync::Arc, time::Duration};

use engram_core::ports::StoreError;

use super::{Plan, Until};
use crate::{Inner, agent};

pub(super) const PLAN: Plan =
    Plan { name: "pressure", every: Duration::from_secs(2), jitter: Duration::ZERO, until: Until::Closed };

#[expect(clippy::unnecessary_wraps, reason = "as all duties")]
pub(super) fn perform(inner: &Arc<Inner>) -> Result<bool, StoreError> {
    if inner.settings.pressure.as_ref().is_some_and(|short| short()) {
        tracing::warn!(live = inner.registry.len(), "memory is short: agents with nothing to do leave it");
        inner.registry.tell_all(|| agent::Msg::Passivate);
    }
    Ok(false)
}
