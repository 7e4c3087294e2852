//! Runs that no actor drives: how they end without one, and how often one has died of them.

use engram_core::{ports::StoreError, step::RunError};
use engram_domain::{RunId, StopReason};

use crate::{Inner, metrics};

/// Ends a run that no actor drives; whoever follows it reads its end from the database. True when this call ended it.
pub(crate) async fn end(
    inner: &Inner,
    run: RunId,
    reason: StopReason,
    error: Option<RunError>,
) -> Result<bool, StoreError> {
    let message = error.as_ref().map(|e| e.message.as_str());
    let ended = inner.ports.store.end_run(run, reason, message, inner.ports.clock.now()).await?;
    inner.hub.leave(run);
    Ok(ended)
}

/// Notes that an actor died of a run.
pub(crate) fn count_death(inner: &Inner, run: RunId) {
    metrics::error("actor_died");
    *inner.deaths.entry(run).or_insert(0) += 1;
}
