//! Calls the duties when their times come, by the wall clock: each is a job of one scheduler.
//!
//! The scheduler keeps only when it calls next. It looks every half second and counts in whole seconds, so a duty comes up
//! to half a second late. The jobs have cron patterns: a job that merely repeats is never called again after the process
//! was stopped for longer than its period, because the scheduler adds one period to the time that it missed, and ignores a
//! time that lies before the last call.

use std::{sync::Arc, time::Duration};

use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::{Duty, pause, tick_unless_running};
use crate::Inner;

/// Starts it, and calls every duty once: what is due after a start is not to wait.
pub(super) async fn start(inner: &Arc<Inner>) -> Result<(), JobSchedulerError> {
    let mut scheduler = JobScheduler::new().await?;
    for duty in Duty::ALL.into_iter().filter(|duty| *duty != Duty::Heartbeat) {
        let engine = Arc::downgrade(inner);
        let job = Job::new_async(pattern(duty.every()), move |_, _| {
            let engine = engine.clone();
            Box::pin(async move {
                if let Some(inner) = engine.upgrade() {
                    inner.tasks.track_future(call(&inner, duty)).await;
                }
            })
        })?;
        scheduler.add(job).await?;
        let inner = inner.clone();
        inner.tasks.clone().spawn(async move { tick_unless_running(&inner, duty).await });
    }
    scheduler.start().await?;
    let closed = inner.closed.clone();
    inner.tasks.spawn(async move {
        closed.cancelled().await;
        if let Err(error) = scheduler.shutdown().await {
            tracing::warn!(%error, "the ticker did not stop");
        }
    });
    Ok(())
}

/// Performs a duty, a little later than its time. Not when it is still being performed: what is due does not get more by
/// waiting.
async fn call(inner: &Arc<Inner>, duty: Duty) {
    let jitter = duty.plan().jitter.as_nanos();
    if jitter > 0 {
        let later = u64::try_from(inner.ports.ids.uuid().as_u128() % jitter).unwrap_or(0);
        if !pause(inner, Duration::from_nanos(later)).await {
            return;
        }
    }
    tick_unless_running(inner, duty).await;
}

/// The cron pattern (with seconds) of a period.
fn pattern(every: Duration) -> String {
    match every.as_secs() {
        seconds @ 0..=59 => format!("*/{} * * * * *", seconds.max(1)),
        seconds @ 60..=3_599 => format!("0 */{} * * * *", seconds / 60),
        _ => "0 0 * * * *".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duty_is_called_as_often_as_its_plan_says() {
        let every = |duty: Duty| pattern(duty.every());
        assert_eq!(every(Duty::Reconcile), "*/1 * * * * *");
        assert_eq!(every(Duty::Pressure), "*/2 * * * * *");
        assert_eq!(every(Duty::PruneEvents), "0 0 * * * *");
        for duty in Duty::ALL {
            let seconds = duty.every().as_secs();
            let divides = [60, 3_600].into_iter().any(|whole| seconds <= whole && whole % seconds == 0);
            assert!(divides && seconds == duty.every().as_secs(), "{}: no pattern has its period", duty.name());
            let job = Job::new_async(every(duty), |_, _| Box::pin(async {}));
            assert!(job.is_ok(), "{}", duty.name());
        }
    }
}
