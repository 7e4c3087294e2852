//! Work that keeps a processor busy: never on the threads that answer requests.
//!
//! A thread of the runtime that counts tokens for a second answers nobody for a second. Such work runs on threads of its
//! own, as many at once as leave the others room, and a request that finds too many before it is told to come back.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Semaphore;

/// Requests that may wait for their turn. Each holds what it wants to work on.
const WAITING: usize = 64;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of text: work on less is done where it comes up, it takes a few milliseconds at most.
const WORTH_A_THREAD: usize = 128 * 1024;

/// Nobody had time for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The server is busy with other requests of this kind. Try again.")]
pub struct Busy;

/// Places for such work.
#[derive(Debug)]
pub struct Cpu {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    most_waiting: usize,
    patience: Duration,
}

/// The places of this process: half of its processors, and at least one.
static PROCESS: LazyLock<Cpu> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Cpu::new((processors / 2).max(1), WAITING, PATIENCE)
});

/// Does work on a thread of its own, among the places of this process. Boundaries of the work are the caller's: it goes on
/// when the request is given up, and keeps its place as long.
///
/// # Errors
/// [`Busy`] when too many wait, or it waited too long.
///
/// # Panics
/// When the work does.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
    PROCESS.run(work).await
}

/// As [`run`], where there is much to go through; on this thread where there is little.
///
/// # Errors
/// [`Busy`] when too many wait, or it waited too long.
///
/// # Panics
/// When the work does.
pub async fn run_if<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
    if bytes < WORTH_A_THREAD { Ok(work()) } else { run(work).await }
}

impl Cpu {
    /// `places` at once; `most_waiting` wait at most, each at most for `patience`.
    pub fn new(places: usize, most_waiting: usize, patience: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), waiting: AtomicUsize::new(0), most_waiting, patience }
    }

    /// As [`run`].
    ///
    /// # Errors
    /// [`Busy`] when too many wait, or it waited too long.
    ///
    /// # Panics
    /// When the work does.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let place = if let Ok(place) = self.places.clone().try_acquire_owned() {
            place
        } else {
            let _turn = Turn::take(self)?;
            let place = tokio::time::timeout(self.patience, self.places.clone().acquire_owned()).await;
            // It is never closed.
            place.map_err(|_| Busy)?.map_err(|_| Busy)?
        };
        let work = tokio::task::spawn_blocking(move || {
            // Goes with the work, not with whoever waits for it.
            let _place = place;
            work()
        });
        match work.await {
            Ok(done) => Ok(done),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down.
                Err(_) => Err(Busy),
            },
        }
    }
}

/// One that waits, counted as long as it does.
struct Turn<'a>(&'a Cpu);

impl<'a> Turn<'a> {
    fn take(cpu: &'a Cpu) -> Result<Self, Busy> {
        if cpu.waiting.fetch_add(1, Ordering::Relaxed) >= cpu.most_waiting {
            cpu.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Busy);
        }
        Ok(Self(cpu))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Work that takes a place until it is let go.
    fn hold(cpu: &Arc<Cpu>) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<(), Busy>>) {
        let (go, wait) = mpsc::channel();
        let cpu = cpu.clone();
        (go, tokio::spawn(async move { cpu.run(move || wait.recv().unwrap_or_default()).await }))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_finds_too_many_before_it_is_sent_away() {
        let cpu = Arc::new(Cpu::new(1, 1, Duration::from_mins(1)));
        let (go, first) = hold(&cpu);
        while cpu.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let second = tokio::spawn({
            let cpu = cpu.clone();
            async move { cpu.run(|| 2).await }
        });
        while cpu.waiting.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(cpu.run(|| 3).await, Err(Busy));
        go.send(()).expect("the first still works");
        assert_eq!((first.await.expect("no panic"), second.await.expect("no panic")), (Ok(()), Ok(2)));
        assert_eq!(cpu.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn work_that_nobody_waits_for_keeps_its_place() {
        let cpu = Arc::new(Cpu::new(1, 1, Duration::ZERO));
        let (go, first) = hold(&cpu);
        while cpu.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        first.abort();
        assert!(first.await.is_err_and(|e| e.is_cancelled()));
        assert_eq!(cpu.run(|| ()).await, Err(Busy), "the place is taken, and patience is over");
        go.send(()).expect("it still works");
    }
}
