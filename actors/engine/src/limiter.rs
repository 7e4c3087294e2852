//! Places for model calls: so many at once in all, so many at one provider, and whoever waits gets a fair turn.
//!
//! Invariants: never more permits than places; a place that is free is never kept from a call that could use it, so a
//! provider that is full holds up nobody but its own callers; agents take turns, so an agent with a thousand waiting
//! calls delays another one by one of them; whoever stops waiting, by its token or because its future is dropped,
//! leaves no trace. There is no task and no timer behind it: who gives a place back hands it to who is next.

mod queue;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use engram_domain::AgentId;
use parking_lot::Mutex;
use queue::{Queue, Ticket};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::metrics;

/// How many model calls may run at once. Zero counts as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LlmLimits {
    /// In this process.
    pub total: usize,
    /// At one provider.
    pub per_provider: usize,
}

impl Default for LlmLimits {
    fn default() -> Self {
        Self { total: 256, per_provider: 128 }
    }
}

/// The places of this process. Cheap to clone.
#[derive(Clone)]
pub struct LlmLimiter(Arc<Mutex<Queue<oneshot::Sender<Permit>>>>);

/// The right to make one call, until it is dropped.
#[must_use = "a permit that is dropped gives its place back"]
pub struct Permit {
    limiter: LlmLimiter,
    provider: Arc<str>,
}

impl LlmLimiter {
    /// A limiter with all places free.
    pub fn new(limits: LlmLimits) -> Self {
        Self(Arc::new(Mutex::new(Queue::new(limits))))
    }

    /// Waits for a place at `provider`. None when `cancel` fires first.
    pub async fn acquire(&self, provider: &str, agent: AgentId, cancel: &CancellationToken) -> Option<Permit> {
        if cancel.is_cancelled() {
            return None;
        }
        let mut waiting = {
            let mut queue = self.0.lock();
            if let Some(provider) = queue.take(provider) {
                return Some(Permit { limiter: self.clone(), provider });
            }
            let (turn, granted) = oneshot::channel();
            let ticket = queue.wait(provider, agent, turn);
            metrics::llm_waiting(queue.waiting());
            Waiting { limiter: self, ticket, granted }
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            // The other end is in the queue until it has sent a permit.
            permit = &mut waiting.granted => permit.ok(),
        }
    }

    /// Calls that wait for a place.
    pub fn waiting(&self) -> usize {
        self.0.lock().waiting()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let next = self.limiter.0.lock().give_back(&self.provider);
        if let Some((provider, turn)) = next {
            // Outside of the lock: a permit that nobody takes any more comes back through here.
            let _ = turn.send(Self { limiter: self.limiter.clone(), provider });
        }
    }
}

/// A place in the queue. Leaving it is dropping it; a permit that was on its way then goes to the next.
struct Waiting<'a> {
    limiter: &'a LlmLimiter,
    ticket: Ticket,
    granted: oneshot::Receiver<Permit>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut queue = self.limiter.0.lock();
        let turn = queue.leave(&self.ticket);
        metrics::llm_waiting(queue.waiting());
        drop(queue);
        // Nobody hears of it any more.
        drop(turn);
    }
}
