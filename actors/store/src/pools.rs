//! Who uses which connections, so that what callers ask for takes nothing from what keeps agents alive.
//!
//! - Heartbeats have one connection of their own: whoever looks at the node sees it alive, whatever else goes on.
//! - The engine (acceptance, claims, commits, loading) has more than half of the rest: [`Store::pool`](crate::Store).
//! - What callers ask for (routes, and searches by tools) has the others, and a time limit for each statement. Searches,
//!   whose cost grows with what is stored, are also limited in number, so lists go on beside them.
//!
//! The embedded database has one connection for everybody. There is one search at a time, and connections are given out
//! in the order in which they were asked for, so a heartbeat waits for one search at most.

use std::{sync::Arc, time::Duration};

use sqlx::{
    Connection, PgConnection, Postgres,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    Result, ScopedStore, Store, StoreError,
    error::{db, is_suspect},
    secrets::Vault,
    tool_cache::ToolCache,
    writes::Writes,
};
use engram_domain::Scope;

/// After this much idleness a connection is tested before it is used. Testing it every time would
/// double the round trips of a turn.
const TEST_AFTER: Duration = Duration::from_secs(10);

/// How many connections, and how long to wait for one.
#[derive(Debug, Clone, Copy)]
pub struct PoolSettings {
    /// Connections at most, of all pools together; three at least, because there are three.
    pub max_connections: u32,
    /// How long a caller waits for a free connection (or for the server to come back) before it is
    /// told that the database is unavailable.
    pub acquire_timeout: Duration,
    /// How long the first connection at start may take.
    pub connect_timeout: Duration,
    /// How long one statement may take of those that callers ask for; no limit when none.
    pub query_timeout: Option<Duration>,
    /// Searches at once.
    pub searches: usize,
    /// How long a search waits for its turn before its caller is told to come again.
    pub search_wait: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            max_connections: 16,
            acquire_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(15),
            query_timeout: Some(Duration::from_secs(30)),
            searches: 4,
            search_wait: Duration::from_secs(5),
        }
    }
}

/// How connections are divided: heartbeats, the engine, what callers ask for.
fn shares(max_connections: u32) -> [u32; 3] {
    let queries = (max_connections * 2 / 5).max(1);
    [1, max_connections.saturating_sub(1 + queries).max(1), queries]
}

impl Store {
    /// Pools over a database that has the right schema.
    pub(crate) fn over(options: &PgConnectOptions, settings: &PoolSettings) -> Self {
        let [heartbeats, engine, queries] = shares(settings.max_connections);
        let limit = settings.query_timeout.unwrap_or_default().as_millis();
        let limited = pool(queries, settings).after_connect(move |connection, _| {
            Box::pin(async move {
                // Not an option of the connection: poolers refuse those that they do not know.
                sqlx::query("SELECT set_config('statement_timeout', $1, false)")
                    .bind(limit.to_string())
                    .execute(connection)
                    .await?;
                Ok(())
            })
        });
        Self {
            pool: pool(engine, settings).connect_lazy_with(options.clone()),
            heartbeats: pool(heartbeats, settings).connect_lazy_with(options.clone()),
            queries: limited.connect_lazy_with(options.clone()),
            // A search never has the last of these connections, unless it is the only one.
            searches: Searches::new(settings.searches.min(queries.saturating_sub(1) as usize), settings.search_wait),
            vault: Vault::default(),
            embedded: false,
            tools: ToolCache::default(),
            writes: Writes::default(),
        }
    }

    /// Over a database that has one connection.
    #[cfg(feature = "embedded-postgres")]
    pub(crate) fn over_one(options: &PgConnectOptions, settings: &PoolSettings) -> Self {
        let pool = pool(1, settings).connect_lazy_with(options.clone());
        Self {
            heartbeats: pool.clone(),
            queries: pool.clone(),
            pool,
            searches: Searches::new(1, settings.search_wait),
            vault: Vault::default(),
            embedded: true,
            tools: ToolCache::default(),
            writes: Writes::default(),
        }
    }

    /// Closes every connection; what runs may finish first.
    pub async fn close(&self) {
        tokio::join!(self.heartbeats.close(), self.queries.close(), self.pool.close());
    }

    /// Reads for the engine itself, over its own connections.
    pub(crate) fn for_engine(&self) -> ScopedStore {
        let store = Self { queries: self.pool.clone(), ..self.clone() };
        store.scoped(Scope::System)
    }

    /// A connection for a search, as soon as it is its turn. [`StoreError::Overloaded`] when that takes too long.
    pub(crate) async fn search(&self) -> Result<SearchConnection> {
        let turn = self.searches.places.clone().acquire_owned();
        let Ok(Ok(place)) = tokio::time::timeout(self.searches.wait, turn).await else {
            return Err(StoreError::Overloaded("Too many searches at once. Try again in a moment.".into()));
        };
        let connection = self.queries.acquire().await.map_err(db)?;
        Ok(SearchConnection { held: Some((connection, place)), over: false })
    }
}

fn pool(max_connections: u32, settings: &PoolSettings) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(settings.acquire_timeout)
        .max_lifetime(None)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if is_suspect(meta.age) {
                    return Ok(false);
                }
                if meta.idle_for > TEST_AFTER {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
}

/// The places of searches. A clone has the same ones.
#[derive(Debug, Clone)]
pub(crate) struct Searches {
    places: Arc<Semaphore>,
    wait: Duration,
}

impl Searches {
    fn new(at_once: usize, wait: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(at_once.max(1))), wait }
    }
}

/// A connection of a search. When its caller goes away the database goes on with the statement, so the place is free
/// only when the connection is.
pub(crate) struct SearchConnection {
    held: Option<(PoolConnection<Postgres>, OwnedSemaphorePermit)>,
    over: bool,
}

impl SearchConnection {
    /// What executes the statement.
    pub(crate) fn get(&mut self) -> &mut PgConnection {
        &mut self.held.as_mut().expect("it is taken when this is dropped").0
    }

    /// Says that the statement has answered.
    pub(crate) fn done<T>(mut self, answer: std::result::Result<T, sqlx::Error>) -> Result<T> {
        self.over = true;
        answer.map_err(db)
    }
}

impl Drop for SearchConnection {
    fn drop(&mut self) {
        let Some((mut connection, place)) = self.held.take() else { return };
        if self.over {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            // Answered after what was begun. A connection that fails is thrown away by its pool.
            let _ = connection.ping().await;
            drop(connection);
            drop(place);
        });
    }
}
