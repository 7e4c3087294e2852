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

/// How soon a dead server thread is noticed.
const LOOK: Duration = Duration::from_millis(250);
/// Between two cleanings. The hot rows are updated in place, so there is little to do.
const CLEAN: Duration = Duration::from_mins(15);
/// The tables that are updated in every turn; the others hardly change.
const BUSY: [&str; 4] =
    ["VACUUM (ANALYZE) conversations", "VACUUM (ANALYZE) runs", "VACUUM (ANALYZE) nodes", "ANALYZE"];

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
pub(super) async fn keep(pool: PgPool, server: Arc<Mutex<Option<PgliteServer>>>, root: PathBuf, socket: PathBuf) {
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
            clean(&pool).await;
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

async fn clean(pool: &PgPool) {
    for statement in BUSY {
        if let Err(error) = sqlx::raw_sql(statement).execute(pool).await {
            tracing::debug!("{statement}: {error}");
        }
    }
}
