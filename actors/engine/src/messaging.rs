//! Agents that speak to each other.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use engram_core::ports::{
    AgentMessage, Agents, AskError, Owner, StoreError, Write,
    agents::{MAX_HOPS, said},
};
use engram_domain::{AgentId, RunId, RunOwner, StopReason};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    Engine, Inner,
    api::{StreamEvent, SubmitError},
    drivers,
};

/// Who waits for whom. Only of this node: two that ask each other from two nodes find out by their patience.
#[derive(Default)]
pub(crate) struct Waits(Mutex<HashMap<AgentId, Vec<AgentId>>>);

/// That one agent waits for another, until it is dropped.
struct Waiting<'a> {
    waits: &'a Waits,
    from: AgentId,
    to: AgentId,
}

impl Waits {
    /// Notes that `from` waits for `to`. None when `to` waits for `from` already, directly or through others: then both
    /// would wait until one loses its patience.
    fn begin(&self, from: AgentId, to: AgentId) -> Option<Waiting<'_>> {
        let mut waits = self.0.lock();
        let (mut seen, mut next) = (HashSet::new(), vec![to]);
        while let Some(agent) = next.pop() {
            if agent == from {
                return None;
            }
            if seen.insert(agent) {
                next.extend(waits.get(&agent).into_iter().flatten());
            }
        }
        waits.entry(from).or_default().push(to);
        Some(Waiting { waits: self, from, to })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waits = self.waits.0.lock();
        let Some(of) = waits.get_mut(&self.from) else { return };
        if let Some(at) = of.iter().position(|to| *to == self.to) {
            of.swap_remove(at);
        }
        if of.is_empty() {
            waits.remove(&self.from);
        }
    }
}

#[async_trait]
impl Agents for Engine {
    fn patience(&self) -> Duration {
        self.0.settings.ask_patience()
    }

    async fn ask(
        &self,
        message: AgentMessage,
        patience: Duration,
        cancel: CancellationToken,
    ) -> Result<Vec<String>, AskError> {
        let to = message.to;
        if message.chain.contains(&to) {
            return Err(AskError::Cycle(to));
        }
        if message.chain.len() > MAX_HOPS {
            return Err(AskError::TooDeep);
        }
        let _waiting = self.0.waits.begin(message.from.id, to).ok_or(AskError::Cycle(to))?;
        let ports = &self.0.ports;
        let run = message.into_run(RunId(ports.ids.uuid()), ports.clock.now());
        let answer = async {
            let mut stream = self.submit(run).await.map_err(|error| match error {
                SubmitError::NotFound => AskError::NotFound(to),
                other => AskError::Undelivered(other.to_string()),
            })?;
            let mut words = Vec::new();
            while let Some((_, event)) = stream.next().await {
                match event {
                    StreamEvent::Message(message) => words.extend(said(&message)),
                    StreamEvent::Delta { .. } => {}
                    StreamEvent::Ended(end) => {
                        let why = match (end.error, end.stop_reason) {
                            (Some(error), _) => error.message,
                            (None, StopReason::Cancelled) => "it was cancelled".into(),
                            (None, StopReason::RequiresApproval) if words.is_empty() => {
                                "it waits for a person's decision on a tool call".into()
                            }
                            _ => continue,
                        };
                        return Err(AskError::Failed { to, why });
                    }
                }
            }
            Ok(words)
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(AskError::Cancelled),
            answer = tokio::time::timeout(patience, answer) => {
                answer.unwrap_or(Err(AskError::Late { to, seconds: patience.as_secs() }))
            }
        }
    }
}

/// Sees to it that what a commit has put into other agents' queues is worked on. Losing this loses nothing: the
/// reconciler finds the runs.
pub(crate) fn deliver(inner: &Arc<Inner>, writes: &[Write]) {
    for write in writes {
        if let Write::Send(run) = write {
            let (inner, run) = (inner.clone(), run.clone());
            inner.tasks.clone().spawn(async move {
                if let Err(error) = announce(&inner, run.owner, run.id).await {
                    tracing::debug!(%error, run = %run.id, "a message to another agent will be found later");
                }
            });
        }
    }
}

/// Sees to it that a run that was stored is worked on, here or wherever its conversation is owned.
pub(crate) async fn announce(inner: &Arc<Inner>, owner: RunOwner, run: RunId) -> Result<(), StoreError> {
    if drivers::is_here(inner, owner) {
        drivers::look(inner, owner, run);
        return Ok(());
    }
    match inner.ports.store.owner(owner, inner.settings.node.id).await? {
        Owner::Gone => Ok(()),
        Owner::Nobody | Owner::Me if !inner.closing.is_cancelled() => {
            drivers::look(inner, owner, run);
            Ok(())
        }
        Owner::Nobody | Owner::Me => inner.ports.store.notify(None, owner).await,
        Owner::Peer(peer) => inner.ports.store.notify(Some(peer.id), owner).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_in_a_circle() {
        let [a, b, c] = [1, 2, 3].map(|n| AgentId(uuid::Uuid::from_u128(n)));
        let waits = Waits::default();
        let first = waits.begin(a, b).expect("nobody waits");
        let twice = waits.begin(a, b).expect("asking two at once is not waiting for oneself");
        let second = waits.begin(b, c).expect("c waits for nobody");
        assert!(waits.begin(c, a).is_none(), "a waits for b, and b for c");
        assert!(waits.begin(b, a).is_none() && waits.begin(a, a).is_none());
        drop(second);
        drop(first);
        assert!(waits.begin(b, a).is_none(), "a still waits for b");
        drop(twice);
        assert!(waits.begin(c, a).is_some());
        assert!(waits.0.lock().is_empty());
    }
}
