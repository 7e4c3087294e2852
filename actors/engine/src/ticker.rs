//! What begins by itself: schedules whose time has come, sleep-time companions whose turn it is, and groups' conversations
//! that nobody drives; and what ends so, agents that were made for one piece of work. The tables decide what is due, and who begins it; this only looks, on every node.

use std::{sync::Arc, time::Duration};

use engram_core::ports::{StoreError, company::Begun};

use crate::{Inner, groups, insight, messaging, reconcile::pause};

/// How often schedules are looked at: as finely as a clock is read by people.
const EVERY: Duration = Duration::from_secs(1);
/// What one look begins at most.
const BATCH: i64 = 200;

/// Ticks until the engine closes.
pub(crate) async fn run(inner: Arc<Inner>) {
    loop {
        let more = tick(&inner).await.unwrap_or_else(|error| {
            insight::error("ticker");
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
    let (company, now) = (&inner.ports.company, inner.ports.clock.now());
    let scheduled = announce(inner, company.begin_scheduled(now, BATCH, &*inner.ports.ids).await?).await?;
    let slept = announce(inner, company.begin_sleep(now, BATCH, &*inner.ports.ids).await?).await?;
    match company.sweep_ephemeral(now, BATCH).await? {
        0 => {}
        agents => tracing::info!(agents, "agents that have done their work are gone"),
    }
    for group in company.stranded_groups(inner.settings.card.id).await? {
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
