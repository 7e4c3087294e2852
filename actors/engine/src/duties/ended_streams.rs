//! Forgets the streams of runs that ended some time ago.

use std::{sync::Arc, time::Duration};

use engram_core::ports::StoreError;

use super::{Plan, Until};
use crate::Inner;

pub(super) const PLAN: Plan =
    Plan { name: "ended_streams", every: Duration::from_secs(1), jitter: Duration::ZERO, until: Until::Closed };

#[expect(clippy::unnecessary_wraps, reason = "as all duties")]
pub(super) fn perform(inner: &Arc<Inner>) -> Result<bool, StoreError> {
    inner.hub.sweep();
    Ok(false)
}
