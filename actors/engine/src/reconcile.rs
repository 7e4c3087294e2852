//! Finding runs that nobody drives: after a crash, after a lost message, after the database was away.
//! It has no input and keeps no state, so a normal start and a recovery are the same code.

use std::{sync::Arc, time::Duration};

use engram_core::ports::StoreError;
use engram_domain::ConversationId;

use crate::{Inner, registry, supervisor};

/// Conversations that one round wakes at most.
const BATCH: i64 = 500;

/// Starts the heartbeat and the reconciler.
pub(crate) fn spawn(inner: &Arc<Inner>) {
    let _ = inner.supervisor.send_message(supervisor::Msg::Watch(Arc::downgrade(inner)));
    let heart = inner.clone();
    inner.tasks.spawn(async move {
        while pause(&heart, heart.settings.heartbeat_every).await {
            if let Err(error) = heart.ports.store.heartbeat(heart.settings.node, &heart.settings.url).await {
                tracing::warn!(%error, "heartbeat failed");
            }
        }
    });
    let inner = inner.clone();
    inner.tasks.clone().spawn(async move {
        loop {
            if let Err(error) = round(&inner).await {
                tracing::warn!(%error, "looking for unfinished runs failed");
            }
            tokio::select! {
                () = inner.closing.cancelled() => break,
                () = inner.nudge.notified() => {
                    // Many actors may end at once; one round serves them all.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                () = tokio::time::sleep(inner.settings.reconcile_every) => {}
            }
        }
    });
}

/// Waits; false when the engine closes meanwhile.
async fn pause(inner: &Inner, time: Duration) -> bool {
    tokio::select! {
        () = inner.closing.cancelled() => false,
        () = tokio::time::sleep(time) => true,
    }
}

async fn round(inner: &Arc<Inner>) -> Result<(), StoreError> {
    let mut stranded = inner.ports.store.stranded(inner.settings.node, BATCH).await?;
    let orphans: Vec<ConversationId> = inner.orphans.iter().map(|c| *c).collect();
    for conversation in orphans {
        inner.orphans.remove(&conversation);
        // Only with work to do: an idle one wakes when something is sent to it.
        if !inner.ports.store.open_runs(conversation).await?.is_empty() {
            stranded.push(conversation);
        }
    }
    for conversation in stranded {
        if !inner.registry.contains(conversation) {
            tracing::info!(%conversation, "resuming an unfinished run");
            registry::ensure(inner, conversation);
        }
    }
    Ok(())
}
