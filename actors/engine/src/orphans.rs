//! Runs that no actor drives: how they end without one, how often one has died of them, and which were begun in vain.

use engram_core::{ports::StoreError, retry::Pauses, step::RunError};
use engram_domain::{Run, RunId, StopReason};

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

/// How often a run was begun in vain while the database was away, or while others kept changing a block that it changes.
#[derive(Debug, Default)]
pub(crate) struct Forgiven {
    /// In all.
    times: u32,
    /// Since it was begun last.
    uncounted: i32,
}

/// Notes that an actor ended in the middle of a run through no fault of the run.
pub(crate) fn forgive(inner: &Inner, run: RunId) {
    let mut forgiven = inner.forgiven.entry(run).or_default();
    forgiven.times += 1;
    forgiven.uncounted += 1;
}

/// Before such a run is begun again: the attempt does not count. It pauses, each time longer: whatever is wrong with the
/// database, the model is not asked as fast as it answers.
pub(crate) async fn begin_forgiven(inner: &Inner, run: &mut Run) {
    let pause = {
        let Some(mut forgiven) = inner.forgiven.get_mut(&run.id) else { return };
        run.attempts = run.attempts.saturating_sub(forgiven.uncounted).max(0);
        forgiven.uncounted = 0;
        Pauses::SERVER.by_chance(forgiven.times.saturating_sub(1), &*inner.ports.ids)
    };
    tokio::select! {
        () = inner.closing.cancelled() => {}
        () = tokio::time::sleep(pause) => {}
    }
}
