//! Two-stage shutdown.
//!
//! The first signal is soft: no new connections, running requests and steps finish. The second one,
//! or the end of the grace time, is hard.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The two stages. A soft stop that takes too long becomes a hard one.
#[derive(Debug, Clone)]
pub struct Shutdown {
    /// Fires on the first signal.
    pub soft: CancellationToken,
    /// Fires on the second signal, or when the grace time is over.
    pub hard: CancellationToken,
}

impl Shutdown {
    /// Listens for SIGINT and SIGTERM from now on.
    pub fn listen(grace: Duration) -> std::io::Result<Self> {
        let shutdown = Self { soft: CancellationToken::new(), hard: CancellationToken::new() };
        let mut signals = Signals::new()?;
        let stages = shutdown.clone();
        tokio::spawn(async move {
            signals.next().await;
            tracing::info!("stopping: running requests may finish within {} s; stop again to end now", grace.as_secs());
            stages.soft.cancel();
            tokio::select! {
                () = signals.next() => tracing::warn!("stopping now"),
                () = tokio::time::sleep(grace) => tracing::warn!("the grace time is over: stopping now"),
            }
            stages.hard.cancel();
        });
        Ok(shutdown)
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix, where it can fail")]
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
