//! What begins by itself: schedules whose time has come, sleep-time companions whose turn it is, and groups' conversations
//! that nobody drives. The tables decide what is due, and who begins it; this only looks, on every node.

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
        if let Err(error) = tick(&inner).await {
            insight::error("ticker");
            tracing::debug!(%error, "nothing could be begun at this tick");
        }
        if !pause(&inner, EVERY).await || inner.closing.is_cancelled() {
            return;
        }
    }
}

async fn tick(inner: &Arc<Inner>) -> Result<(), StoreError> {
    let (company, now) = (&inner.ports.company, inner.ports.clock.now());
    announce(inner, company.begin_scheduled(now, BATCH, &*inner.ports.ids).await?).await?;
    announce(inner, company.begin_sleep(now, BATCH, &*inner.ports.ids).await?).await?;
    for run in company.stranded_group_runs(BATCH).await? {
        groups::drive(inner, run);
    }
    Ok(())
}

async fn announce(inner: &Arc<Inner>, begun: Vec<Begun>) -> Result<(), StoreError> {
    for (conversation, run) in begun {
        messaging::announce(inner, conversation, run).await?;
    }
    Ok(())
}
