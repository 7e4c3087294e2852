//! Calls the duties of a node as its ticker does, but by tokio's clock, which a test may stop.

use std::time::Duration;

use engram_engine::{Duty, Engine};
use tokio_util::sync::CancellationToken;

/// Until the process dies. `reconcile_every`: in place of the duty's own period.
pub fn start(engine: &Engine, dead: &CancellationToken, reconcile_every: Duration) {
    for duty in Duty::ALL.into_iter().filter(|duty| *duty != Duty::Heartbeat) {
        let every = if duty == Duty::Reconcile { reconcile_every } else { duty.every() };
        let (engine, dead) = (engine.clone(), dead.clone());
        tokio::spawn(async move {
            let calls = async {
                loop {
                    engine.tick(duty).await;
                    tokio::time::sleep(every).await;
                }
            };
            tokio::select! {
                biased;
                () = dead.cancelled() => {}
                () = calls => {}
            }
        });
    }
}
