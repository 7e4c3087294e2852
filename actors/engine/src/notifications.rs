//! Receives what other nodes tell this one. Losing a notification loses nothing: the reconciler finds the work.

use std::{sync::Arc, time::Duration};

use engram_core::ports::Wakeup;
use engram_domain::{ConversationId, RunOwner};
use futures::StreamExt;

use crate::{Inner, groups};

/// How long a lost connection for notifications stays lost before it is tried again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Receives them until nothing new is begun here.
pub(crate) async fn listen(inner: Arc<Inner>) {
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
                    Some(Ok(Wakeup::Work(RunOwner::Conversation(conversation)))) => look(&inner, conversation).await,
                    Some(Ok(Wakeup::Work(RunOwner::Group(group)))) => groups::drive(&inner, group, None),
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
async fn look(inner: &Arc<Inner>, conversation: ConversationId) {
    if !inner.registry.contains(conversation) {
        return inner.registry.ensure(conversation);
    }
    match inner.ports.store.open_runs(conversation.into()).await {
        Ok(open) => open.into_iter().for_each(|run| inner.registry.look(conversation, run)),
        Err(error) => tracing::debug!(%error, %conversation, "work that was announced could not be read"),
    }
}
