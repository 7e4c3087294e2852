//! Finds runs that nobody drives: after a crash, after a lost message, after the database was away. It has no input and
//! keeps no state, so a normal start and a recovery are the same code.

use std::{sync::Arc, time::Duration};

use engram_core::ports::{Owner, StoreError};
use engram_domain::ConversationId;

use super::{Duty, Plan, Until, tick};
use crate::Inner;

/// Work of a node that dies goes on elsewhere within five seconds: three of them are its lease.
pub(super) const PLAN: Plan = Plan {
    name: "reconcile",
    every: Duration::from_secs(1),
    jitter: Duration::from_millis(100),
    until: Until::Draining,
};

/// Conversations that are woken at once.
const BATCH: i64 = 500;
/// Many actors may end at once; one look serves them all.
const GATHER: Duration = Duration::from_millis(20);

pub(super) async fn perform(inner: &Arc<Inner>) -> Result<bool, StoreError> {
    let (store, me) = (&inner.ports.store, inner.settings.node.id);
    for conversation in store.orphaned(me, BATCH).await? {
        resume(inner, conversation);
    }
    let orphans: Vec<ConversationId> = inner.orphans.iter().map(|c| *c).collect();
    for conversation in orphans {
        inner.orphans.remove(&conversation);
        // Only with work to do: an idle one wakes when something is sent to it.
        let ours = !matches!(store.owner(conversation.into(), me).await?, Owner::Peer(_));
        if ours && !store.open_runs(conversation.into()).await?.is_empty() {
            resume(inner, conversation);
        }
    }
    // For notifications that were lost.
    for (conversation, run) in store.waiting(me, BATCH).await? {
        inner.registry.look(conversation, run);
    }
    Ok(false)
}

fn resume(inner: &Arc<Inner>, conversation: ConversationId) {
    if !inner.registry.contains(conversation) {
        tracing::info!(%conversation, "resuming an unfinished run");
        inner.registry.ensure(conversation);
    }
}

/// Performs it before its time, whenever somebody on this node knows of work for it.
pub(super) async fn before_its_time(inner: Arc<Inner>) {
    loop {
        tokio::select! {
            () = inner.closing.cancelled() => return,
            () = inner.reconcile_soon.notified() => tokio::time::sleep(GATHER).await,
        }
        tick(&inner, Duty::Reconcile).await;
    }
}
