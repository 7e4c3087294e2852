//! Postgres inside this process, for whoever has none. Everything that knows `pglite-oxide` is here.
//!
//! Layout of the data directory ([`crate::data_dir`]): `engram.lock`, held as long as the database is open;
//! `postgres/`, the cluster; `postgres.unfinished`, from before the first start makes that until the schema is there, so
//! that a kill in between leaves nothing to stumble over; the socket, for this user alone. A data directory whose path is
//! too long for a socket gets a short directory beside the other temporary files instead.
//!
//! Durability: a commit survives the death of this process, `kill -9` included, because the system
//! has its bytes by then. It may not survive the death of the machine: the crate runs Postgres with
//! `-F` (no fsync), and with `fsync=on` version 0.5.1 cannot open a cluster again (it tries to sync
//! a directory as a file). Who needs that much runs a Postgres server.
//!
//! It has exactly one connection, so the pool has size one. It runs no background workers: nothing
//! vacuums or analyses on its own, and the crate's server thread ends when a connection breaks off
//! in the middle of a message. [`Embedded`] has a keeper that does the one and repairs the other.

mod files;
mod keeper;

use std::{fs::File, path::PathBuf, sync::Arc, time::Duration};

use parking_lot::Mutex;
use pglite_oxide::{PgliteServer, extensions};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::task::JoinHandle;

use crate::{PoolSettings, Store, migrate};

/// The socket's name is Postgres' convention: `.s.PGSQL.` and the port.
const PORT: u16 = 5432;
/// The one connection is busy with one short transaction at a time.
const ACQUIRE: Duration = Duration::from_secs(30);

/// Why the embedded database cannot be used, in words for whoever starts the server.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Another process has the data directory.
    #[error("another engram server is using {0}; stop it, or choose another directory with --data-dir")]
    InUse(PathBuf),
    /// The data directory cannot be used.
    #[error("the data directory {path} cannot be used: {reason}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The database does not start.
    #[error("the embedded database does not start: {0}")]
    Start(String),
    /// The schema cannot be brought to what this version needs.
    #[error(transparent)]
    Schema(#[from] crate::connect::ConnectError),
}

/// The running database. Stop it with [`Embedded::stop`]; a process that is killed loses nothing
/// that was committed.
#[derive(Debug)]
pub struct Embedded {
    server: Arc<Mutex<Option<PgliteServer>>>,
    keeper: JoinHandle<()>,
    socket: files::SocketDir,
    _lock: File,
}

impl Embedded {
    /// Opens the database in `data_dir`, which is created if need be, and brings its schema up to
    /// date. The first start of all unpacks about 100 MB.
    pub async fn start(data_dir: impl Into<PathBuf>) -> Result<(Store, Self), EmbeddedError> {
        let data_dir: PathBuf = data_dir.into();
        let (data_dir, lock) = files::claim(&data_dir)?;
        let socket = files::SocketDir::choose(&data_dir, PORT)?;
        let root = data_dir.join("postgres");
        let fail = |reason| EmbeddedError::Directory { path: data_dir.clone(), reason };
        files::begin(&data_dir, &root).map_err(fail)?;
        let server = Arc::new(Mutex::new(Some(launch(root.clone(), socket.file(PORT)).await?)));
        let options = PgConnectOptions::new_without_pgpass()
            .socket(socket.path())
            .port(PORT)
            .username("postgres")
            .database("postgres")
            .ssl_mode(PgSslMode::Disable)
            .application_name("engram");
        let settings = PoolSettings { acquire_timeout: ACQUIRE, connect_timeout: ACQUIRE, ..PoolSettings::default() };
        let store = Store::over_one(&options, &settings);
        // Over the pool's own connection: a second one would wait for the first to end.
        let mut connection = store.pool.acquire().await.map_err(|e| EmbeddedError::Start(e.to_string()))?;
        migrate::run(&mut connection).await?;
        drop(connection);
        files::finish(&data_dir).map_err(fail)?;
        let keeper = tokio::spawn(keeper::keep(store.clone(), server.clone(), root, socket.file(PORT)));
        Ok((store, Self { server, keeper, socket, _lock: lock }))
    }

    /// Returns when the database has failed for good and only a new process can open it again. Nothing
    /// that was committed is lost.
    pub fn failed(&self, store: &Store) -> impl Future<Output = ()> + Send + use<> {
        keeper::watch(store.pool.clone())
    }

    /// Closes the pool, then the database. Whoever still wants something of it gets
    /// [`crate::StoreError::Unavailable`].
    pub async fn stop(self, store: &Store) {
        self.keeper.abort();
        store.close().await;
        let server = self.server.lock().take();
        let stopped = tokio::task::spawn_blocking(move || server.map_or(Ok(()), PgliteServer::shutdown)).await;
        if let Ok(Err(error)) = stopped {
            tracing::warn!("the embedded database did not stop cleanly: {error:#}");
        }
        self.socket.remove();
    }
}

/// Starts the server thread; from then on the socket accepts.
async fn launch(root: PathBuf, socket: PathBuf) -> Result<PgliteServer, EmbeddedError> {
    let start = move || {
        files::drop_broken_manifest(&root);
        PgliteServer::builder()
            .path(root)
            .unix(socket)
            .username("postgres")
            .database("postgres")
            .extension(extensions::VECTOR)
            .start()
    };
    tokio::task::spawn_blocking(start)
        .await
        .map_err(|e| EmbeddedError::Start(e.to_string()))?
        .map_err(|e| EmbeddedError::Start(format!("{e:#}")))
}
