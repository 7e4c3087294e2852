//! What nodes tell each other through the database: `NOTIFY` with the id of a conversation or a group, on a
//! channel for all of them or on one node's own.
//!
//! Nothing depends on a notification: whoever misses a notification finds the work by asking.

use std::time::Duration;

use async_trait::async_trait;
use engram_core::ports::{Notifications, Wakeup, Wakeups};
use engram_domain::{ConversationId, GroupId, NodeId, RunOwner};
use futures::{StreamExt, stream};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};

use crate::{Result, Store, error::db};

/// The channel that every node listens to.
const ALL: &str = "engram";
/// Between two tries to listen again.
const PAUSE: Duration = Duration::from_millis(250);
/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A node's own channel.
fn channel(node: NodeId) -> String {
    format!("{ALL}_{}", node.0.simple())
}

/// Between two wake-ups.
struct Subscription {
    node: NodeId,
    options: PgConnectOptions,
    /// None while the connection is lost.
    listener: Option<PgListener>,
    /// The last try to listen again failed.
    pausing: bool,
}

#[async_trait]
impl Notifications for Store {
    /// Over a connection of its own. When that is lost, the stream
    /// tells of every try to get a new one that fails, and says [`Wakeup::Missed`] when it has one. None
    /// for the embedded database, whose one connection cannot be spared.
    async fn wakeups(&self, node: NodeId) -> Result<Option<Wakeups>> {
        if self.embedded {
            return Ok(None);
        }
        let options = (*self.pool.connect_options()).clone();
        let listener = connect(&options, node).await.map_err(db)?;
        let state = Subscription { node, options, listener: Some(listener), pausing: false };
        Ok(Some(stream::unfold(state, |state| async { Some(next(state).await) }).boxed()))
    }

    async fn notify(&self, node: Option<NodeId>, owner: RunOwner) -> Result<()> {
        if self.embedded {
            return Ok(());
        }
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(node.map_or_else(|| ALL.to_owned(), channel))
            .bind(owner.to_string())
            .execute(&self.pool)
            .await
            .map_err(db)?;
        Ok(())
    }
}

/// The conversation or group of a notification.
fn read(payload: &str) -> Option<RunOwner> {
    let conversation = payload.parse::<ConversationId>().ok().map(RunOwner::from);
    conversation.or_else(|| payload.parse::<GroupId>().ok().map(RunOwner::from))
}

async fn next(mut state: Subscription) -> (Result<Wakeup>, Subscription) {
    loop {
        let Some(listener) = &mut state.listener else {
            if state.pausing {
                tokio::time::sleep(PAUSE).await;
            }
            return match connect(&state.options, state.node).await {
                Ok(listener) => {
                    (state.listener, state.pausing) = (Some(listener), false);
                    (Ok(Wakeup::Missed), state)
                }
                Err(error) => {
                    state.pausing = true;
                    (Err(db(error)), state)
                }
            };
        };
        match listener.try_recv().await {
            Ok(Some(said)) => {
                if let Some(owner) = read(said.payload()) {
                    return (Ok(Wakeup::Work(owner)), state);
                }
                tracing::debug!(channel = said.channel(), "a notification names neither a conversation nor a group");
            }
            Ok(None) => state.listener = None,
            Err(error) => {
                tracing::debug!(%error, "the connection that listens is lost");
                state.listener = None;
            }
        }
    }
}

/// A connection that listens. It comes from a pool of one, because a listener wants a pool.
async fn connect(options: &PgConnectOptions, node: NodeId) -> std::result::Result<PgListener, sqlx::Error> {
    let pool: PgPool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    // Whether something was missed is for this stream to tell.
    listener.eager_reconnect(false);
    listener.listen_all([ALL, &*channel(node)]).await?;
    Ok(listener)
}
