//! What begins by itself: schedules whose time has come, sleep-time companions whose turn it is, and groups' conversations
//! that nobody drives; and what ends so, agents that were made for one piece of work. The tables decide what is due, and who begins it; this only looks, on every node.

use std::{sync::Arc, time::Duration};

use engram_core::ports::{StoreError, store::Begun};

use crate::{Inner, groups, messaging, metrics, reconcile::pause};

/// How often schedules are looked at: as finely as a clock is read by people.
const EVERY: Duration = Duration::from_secs(1);
/// What one look begins at most.
const BATCH: i64 = 200;

/// Ticks until the engine closes.
pub(crate) async fn run(inner: Arc<Inner>) {
    loop {
        let more = tick(&inner).await.unwrap_or_else(|error| {
            metrics::error("ticker");
            tracing::debug!(%error, "nothing could be begun at this tick");
            false
        });
        if !more && !pause(&inner, EVERY).await || inner.closing.is_cancelled() {
            return;
        }
    }
}

/// Begins what is due. True when that was as much as one look may begin, so that more may be due.
async fn tick(inner: &Arc<Inner>) -> Result<bool, StoreError> {
    let (store, now) = (&inner.ports.store, inner.ports.clock.now());
    let ids = &*inner.ports.ids;
    let scheduled = store.begin_scheduled(now, BATCH, ids).await?;
    let begun = scheduled.iter().map(|due| (due.agent_id.default_conversation(), due.run_id)).collect();
    let scheduled = announce(inner, begun).await?;
    let mut companions = store.begin_sleep_time(now, BATCH, ids).await?;
    companions.extend(store.begin_voice_sleep_time(now, BATCH, ids).await?);
    let slept = announce(inner, companions).await?;
    match store.sweep_ephemeral(now, BATCH).await? {
        0 => {}
        agents => tracing::info!(agents, "agents that have done their work are gone"),
    }
    for group in store.stranded_groups(inner.settings.node.id).await? {
        groups::drive(inner, group, None);
    }
    Ok(scheduled || slept)
}

/// Sees to it that they are worked on. True when they are a full batch.
async fn announce(inner: &Arc<Inner>, begun: Vec<Begun>) -> Result<bool, StoreError> {
    let full = i64::try_from(begun.len()).is_ok_and(|n| n >= BATCH);
    for (conversation, run) in begun {
        messaging::announce(inner, conversation, run).await?;
    }
    Ok(full)
}
