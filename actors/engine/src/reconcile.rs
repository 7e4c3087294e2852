//! Finding runs that nobody drives: after a crash, after a lost message, after the database was away.
//! It has no input and keeps no state, so a normal start and a recovery are the same code.

use std::{sync::Arc, time::Duration};

use engram_core::ports::{Owner, StoreError, Wakeup};
use engram_domain::ConversationId;
use futures::StreamExt;

use crate::{Inner, agent, metrics, supervisor, ticker};

/// Conversations that one round wakes at most.
const BATCH: i64 = 500;
/// How long a lost connection for notifications stays lost before it is tried again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// How often memory is looked at.
const PRESSURE_EVERY: Duration = Duration::from_secs(2);
/// How long a group's message that is over is known by its name.
const KEEP_GROUP_RUNS: Duration = Duration::from_hours(24);
/// How often events that nobody will read any more are dropped.
const TIDY_EVERY: Duration = Duration::from_hours(1);

/// Starts the heartbeat, the reconciler, and what listens to other nodes.
pub(crate) fn spawn(inner: &Arc<Inner>) {
    let _ = inner.supervisor.send_message(supervisor::Msg::Watch(Arc::downgrade(inner)));
    inner.tasks.spawn(beat(inner.clone()));
    inner.tasks.spawn(reconcile(inner.clone()));
    inner.tasks.spawn(listen(inner.clone()));
    inner.tasks.spawn(relieve(inner.clone()));
    inner.tasks.spawn(tidy(inner.clone()));
    inner.tasks.spawn(ticker::run(inner.clone()));
}

/// Says that this node lives, to the very end: what it still owns must not be taken before it is given back.
async fn beat(inner: Arc<Inner>) {
    while pause(&inner, inner.settings.heartbeat_every).await {
        inner.hub.sweep();
        if let Err(error) = inner.heartbeat().await {
            metrics::error("heartbeat");
            tracing::warn!(%error, "heartbeat failed");
        }
    }
}

/// Waits; false when the engine has closed meanwhile.
pub(crate) async fn pause(inner: &Inner, time: Duration) -> bool {
    tokio::select! {
        () = inner.closed.cancelled() => false,
        () = tokio::time::sleep(time) => true,
    }
}

async fn reconcile(inner: Arc<Inner>) {
    loop {
        if let Err(error) = round(&inner).await {
            tracing::warn!(%error, "looking for unfinished runs failed");
        }
        tokio::select! {
            () = inner.closing.cancelled() => break,
            () = inner.reconcile_soon.notified() => {
                // Many actors may end at once; one round serves them all.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            () = tokio::time::sleep(inner.settings.reconcile_every) => {}
        }
    }
}

async fn round(inner: &Arc<Inner>) -> Result<(), StoreError> {
    let (store, me) = (&inner.ports.store, inner.settings.node.id);
    for conversation in store.orphaned(me, BATCH).await? {
        resume(inner, conversation);
    }
    let orphans: Vec<ConversationId> = inner.orphans.iter().map(|c| *c).collect();
    for conversation in orphans {
        inner.orphans.remove(&conversation);
        // Only with work to do: an idle one wakes when something is sent to it.
        let ours = !matches!(store.owner(conversation, me).await?, Owner::Peer(_));
        if ours && !store.open_runs(conversation).await?.is_empty() {
            resume(inner, conversation);
        }
    }
    // The net below notifications.
    for (conversation, run) in store.waiting(me, BATCH).await? {
        inner.registry.look(conversation, run);
    }
    Ok(())
}

fn resume(inner: &Arc<Inner>, conversation: ConversationId) {
    if !inner.registry.contains(conversation) {
        tracing::info!(%conversation, "resuming an unfinished run");
        inner.registry.ensure(conversation);
    }
}

/// Hears of work from other nodes.
async fn listen(inner: Arc<Inner>) {
    loop {
        let wakeups = match inner.ports.store.wakeups(inner.settings.node.id).await {
            Ok(Some(wakeups)) => Some(wakeups),
            // The database cannot notify: then this is the only node.
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "no notifications for the moment");
                None
            }
        };
        if let Some(mut wakeups) = wakeups {
            loop {
                let wakeup = tokio::select! {
                    () = inner.closing.cancelled() => return,
                    wakeup = wakeups.next() => wakeup,
                };
                match wakeup {
                    Some(Ok(Wakeup::Work(conversation))) => hear(&inner, conversation).await,
                    Some(Ok(Wakeup::Missed)) => inner.reconcile_soon.notify_one(),
                    Some(Err(_)) | None => break,
                }
            }
        }
        tokio::select! {
            () = inner.closing.cancelled() => return,
            () = tokio::time::sleep(LISTEN_AGAIN) => {}
        }
    }
}

/// There is work in a conversation that is ours or nobody's.
async fn hear(inner: &Arc<Inner>, conversation: ConversationId) {
    if !inner.registry.contains(conversation) {
        return inner.registry.ensure(conversation);
    }
    match inner.ports.store.open_runs(conversation).await {
        Ok(open) => open.into_iter().for_each(|run| inner.registry.look(conversation, run)),
        Err(error) => tracing::debug!(%error, %conversation, "work that was announced could not be read"),
    }
}

/// Lets agents with nothing to do leave memory while it is short.
async fn relieve(inner: Arc<Inner>) {
    let Some(pressure) = inner.settings.pressure.clone() else { return };
    while pause(&inner, PRESSURE_EVERY).await {
        if pressure() {
            tracing::warn!(live = inner.registry.len(), "memory is short: agents with nothing to do go to sleep");
            inner.registry.tell_all(|| agent::Msg::Passivate);
        }
    }
}

/// Drops the events of background runs, and the messages to groups, that ended long ago.
async fn tidy(inner: Arc<Inner>) {
    while pause(&inner, TIDY_EVERY).await {
        match inner.ports.store.prune_events(inner.ports.clock.now()).await {
            Ok(0) => {}
            Ok(events) => tracing::info!(events, "dropped events of runs that ended long ago"),
            Err(error) => tracing::warn!(%error, "old events could not be dropped"),
        }
        let a_day_ago = inner.ports.clock.now() - KEEP_GROUP_RUNS;
        if let Err(error) = inner.ports.store.prune_group_runs(a_day_ago).await {
            tracing::warn!(%error, "old messages to groups could not be dropped");
        }
    }
}
