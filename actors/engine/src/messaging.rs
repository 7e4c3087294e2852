//! Agents that speak to each other.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use engram_core::ports::{
    AgentMessage, Agents, AskError, Owner, StoreError, Write,
    agents::{MAX_HOPS, said},
};
use engram_domain::{ConversationId, RunId, StopReason};
use tokio_util::sync::CancellationToken;

use crate::{
    Engine, Inner,
    api::{StreamEvent, SubmitError},
    registry,
};

#[async_trait]
impl Agents for Engine {
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
                if let Err(error) = announce(&inner, run.conversation_id, run.id).await {
                    tracing::debug!(%error, run = %run.id, "a message to another agent will be found later");
                }
            });
        }
    }
}

/// Sees to it that a run that was stored is worked on, here or wherever its conversation lives.
pub(crate) async fn announce(inner: &Arc<Inner>, conversation: ConversationId, run: RunId) -> Result<(), StoreError> {
    if inner.registry.contains(conversation) {
        registry::look(inner, conversation, run);
        return Ok(());
    }
    match inner.ports.store.owner(conversation, inner.settings.card.id).await? {
        Owner::Gone => Ok(()),
        Owner::Nobody | Owner::Me if !inner.closing.is_cancelled() => {
            registry::look(inner, conversation, run);
            Ok(())
        }
        Owner::Nobody | Owner::Me => inner.ports.store.poke(None, conversation).await,
        Owner::Peer(peer) => inner.ports.store.poke(Some(peer.id), conversation).await,
    }
}
