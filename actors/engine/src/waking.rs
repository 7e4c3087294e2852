//! Starting the actor of a conversation, and what becomes of its runs when it cannot be started.

use std::sync::Arc;

use engram_core::step::RunError;
use engram_domain::{ConversationId, RunErrorKind, StopReason};

use crate::{
    Inner,
    agent::{self, Refusal},
    metrics, orphans, supervisor,
};

/// Starts the actor, in a task of its own.
pub(crate) fn spawn(inner: &Arc<Inner>, conversation: ConversationId) {
    let inner = inner.clone();
    inner.tasks.clone().spawn(async move { wake(&inner, conversation).await });
}

async fn wake(inner: &Arc<Inner>, conversation: ConversationId) {
    let arguments = agent::Arguments { inner: inner.clone(), conversation };
    match supervisor::spawn_agent(&inner.supervisor, arguments).await {
        Ok(actor) => {
            inner.registry.awake(conversation, &actor);
            if inner.closing.is_cancelled() {
                let _ = actor.send_message(agent::Msg::Close { hand_over: inner.is_draining() });
            }
        }
        Err(error) => {
            tracing::debug!(%error, %conversation, "an agent did not wake");
            let gone = end_if_gone(inner, conversation).await;
            metrics::activation(if gone { "gone" } else { "owned" });
            let waiting = inner.registry.not_awake(conversation);
            agent::refuse(inner, waiting, if gone { Refusal::Gone } else { Refusal::Elsewhere });
        }
    }
}

/// Somebody else owns the conversation, it is gone, or the database is away. Its runs must not hang:
/// those of a conversation that is gone end here, the others are tried again.
/// Returns whether it is gone.
async fn end_if_gone(inner: &Arc<Inner>, conversation: ConversationId) -> bool {
    let store = &inner.ports.store;
    let (open, gone) = match (store.open_runs(conversation.into()).await, store.load(conversation).await) {
        (Ok(open), Ok(loaded)) => (open, loaded.is_none()),
        _ => (Vec::new(), false),
    };
    if !gone {
        inner.orphans.insert(conversation);
        return false;
    }
    for run in open {
        let error = RunError::new(RunErrorKind::NotFound, "The conversation was deleted.");
        if let Err(error) = orphans::end(inner, run, StopReason::Error, Some(error)).await {
            tracing::warn!(%error, %run, "a run of a deleted conversation could not be ended");
        }
    }
    true
}
