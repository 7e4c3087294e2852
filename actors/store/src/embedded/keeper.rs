//! What a server of its own would do in the background: clean up after updates, keep the planner's
//! statistics fresh, and be there again after a broken connection.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use pglite_oxide::PgliteServer;
use sqlx::PgPool;
use tokio::{
    net::UnixStream,
    time::{Instant, MissedTickBehavior},
};

use crate::Store;

/// How soon a dead server thread is noticed.
const LOOK: Duration = Duration::from_millis(250);
/// Between two looks for tables that have changed much.
const CLEAN: Duration = Duration::from_mins(1);
/// Between two tables. Turns that wait for the one connection come first.
const BREATH: Duration = Duration::from_millis(250);

/// Between two questions whether the database still answers.
const ASK: Duration = Duration::from_secs(2);
/// How long an answer may take. The database may be busy; busy is not dead.
const ANSWER: Duration = Duration::from_secs(5);
/// Failures in a row after which it is given up.
const GIVE_UP: u32 = 5;

/// Returns when the database answers nothing but errors any more. It is a program inside this process,
/// and once it has trapped only a new process helps; what was committed is safe.
pub(super) async fn watch(pool: PgPool) {
    let mut failures = 0;
    while failures < GIVE_UP && !pool.is_closed() {
        tokio::time::sleep(ASK).await;
        match tokio::time::timeout(ANSWER, sqlx::query("SELECT 1").execute(&pool)).await {
            Ok(Err(sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) | Ok(_)) | Err(_) => failures = 0,
            Ok(Err(error)) => {
                failures += 1;
                tracing::warn!("the embedded database does not answer: {error}");
            }
        }
    }
    if pool.is_closed() {
        std::future::pending::<()>().await;
    }
}

/// Runs until the pool is closed or the task is aborted.
pub(super) async fn keep(store: Store, server: Arc<Mutex<Option<PgliteServer>>>, root: PathBuf, socket: PathBuf) {
    let pool = &store.pool;
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Soon after the start, because a new database has no statistics at all.
    let mut clean_at = Instant::now() + Duration::from_mins(1);
    while !pool.is_closed() {
        look.tick().await;
        // With its one connection open the server is busy with it; knocking would only queue.
        if pool.size() == 0 && is_gone(&socket).await {
            revive(&server, &root, &socket).await;
        }
        if Instant::now() >= clean_at {
            clean(&store).await;
            clean_at = Instant::now() + CLEAN;
        }
    }
}

async fn is_gone(socket: &Path) -> bool {
    UnixStream::connect(socket).await.is_err()
}

async fn revive(server: &Arc<Mutex<Option<PgliteServer>>>, root: &Path, socket: &Path) {
    tracing::warn!("the embedded database lost its connection; starting it again");
    let old = server.lock().take();
    // Dropping joins the dead thread and gives the cluster's lock back.
    let _ = tokio::task::spawn_blocking(move || drop(old)).await;
    match super::launch(root.to_owned(), socket.to_owned()).await {
        Ok(new) => *server.lock() = Some(new),
        Err(error) => tracing::error!("{error}"),
    }
}

/// One table after the other, each by itself.
async fn clean(store: &Store) {
    let tables = match store.worn_tables().await {
        Ok(tables) => tables,
        Err(error) => return tracing::debug!(%error, "which tables want cleaning could not be read"),
    };
    for table in tables {
        if let Err(error) = store.vacuum(&table).await {
            tracing::debug!(%error, table, "a table could not be cleaned");
        }
        tokio::time::sleep(BREATH).await;
    }
}
