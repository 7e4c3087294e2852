//! Wiring: the only place that knows concrete types from two sides.

use std::sync::Arc;

use engram_core::{
    ports::{Clock, Ids, NodeInfo, StoreError},
    tokens,
};
use engram_domain::NodeId;
use engram_engine::{Engine, EngineSettings, Ports, limiter::LlmLimits};
use engram_llm::{ProviderSettings, Providers};
#[cfg(feature = "embedded-postgres")]
use engram_store::embedded::{Embedded, EmbeddedError};
use engram_store::{PoolSettings, Store, connect::ConnectError, secrets::Vault};
use engram_tools::{BuiltinRunner, Runners};

use crate::{
    ambient::{RandomIds, SystemClock},
    config::Settings,
    http::state::AppState,
    peers::client::HttpPeers,
    pressure::Pressure,
    telemetry,
};

/// Why the server did not start, in words for whoever starts it.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The address is taken or may not be used.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Host and port.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// It would listen in a way that nobody asked for.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The system refuses something that every server needs.
    #[error("the system refused: {0}")]
    Signals(std::io::Error),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] ConnectError),
    /// The embedded database cannot be used.
    #[cfg(feature = "embedded-postgres")]
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// This build has no database of its own.
    #[cfg(not(feature = "embedded-postgres"))]
    #[error("this build has no embedded database: set LETTA_PG_URI to a Postgres server with pgvector")]
    NoDatabase,
    /// The embedded database trapped.
    #[error(
        "the embedded database has failed and cannot be opened again by this process; nothing that was acknowledged \
         is lost: start the server again"
    )]
    DatabaseFailed,
    /// The database could be opened and then not be used.
    #[error("the database cannot be used: {0}")]
    Store(#[from] StoreError),
    /// A model provider is configured in a way that cannot work.
    #[error("model providers: {0}")]
    Providers(#[from] engram_llm::SetupError),
    /// The client for other nodes cannot be built.
    #[error("the client for other nodes: {0}")]
    Peers(#[from] reqwest::Error),
}

/// What must be closed after the engine has stopped.
pub struct Database {
    store: Store,
    #[cfg(feature = "embedded-postgres")]
    embedded: Option<Embedded>,
}

impl Database {
    /// Returns when the database has failed for good and only a new process can open it again.
    pub fn failed(&self) -> impl Future<Output = ()> + Send + use<> {
        #[cfg(feature = "embedded-postgres")]
        let failed = self.embedded.as_ref().map(|embedded| embedded.failed(&self.store));
        #[cfg(not(feature = "embedded-postgres"))]
        let failed: Option<std::future::Ready<()>> = None;
        async move {
            match failed {
                Some(failed) => failed.await,
                None => std::future::pending().await,
            }
        }
    }

    /// Closes the database.
    pub async fn close(self) {
        #[cfg(feature = "embedded-postgres")]
        if let Some(embedded) = self.embedded {
            return embedded.stop(&self.store).await;
        }
        self.store.close().await;
    }
}

/// Opens the database, starts the engine. `url` is where this process listens.
pub async fn boot(settings: Settings, url: &str) -> Result<(AppState, Database), BootError> {
    telemetry::prometheus::install();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let ids: Arc<dyn Ids> = Arc::new(RandomIds);
    // The tokenizer takes a moment to load. Nobody should wait for it later.
    std::thread::spawn(tokens::warm_up);
    let mut database = open(&settings).await?;
    database.store = database.store.with_vault(vault(&settings)).await?;
    let store = database.store.clone();
    store.ensure_builtin_tools(clock.now(), &*ids).await?;
    let providers = Arc::new(Providers::new(provider_settings(&settings), tokens::count, ids.clone()));
    for provider in engram_llm::from_environment(settings.environment.vars()) {
        providers.set(provider)?;
    }
    let names: Vec<String> = providers.providers().into_iter().map(|p| p.name).collect();
    tracing::info!("models from: {}", names.join(", "));
    let embedder = providers.embedder();
    let builtin_tools = BuiltinRunner::new(Arc::new(store.clone()), embedder.clone(), clock.clone(), ids.clone())
        .with_message_limits(settings.limits.agent_messages);
    let ports = Ports {
        store: Arc::new(store.clone()),
        llm: providers.llm(),
        tools: Arc::new(Runners::new(builtin_tools.clone())),
        peers: Arc::new(HttpPeers::new()?),
        clock: clock.clone(),
        ids: ids.clone(),
    };
    let engine = Engine::start(ports, engine_settings(&settings, url, &*ids)).await?;
    builtin_tools.connect(Arc::new(engine.clone()));
    let state = AppState { store, engine, providers, embedder, clock, ids, settings: Arc::new(settings) };
    Ok((state, database))
}

fn engine_settings(settings: &Settings, url: &str, ids: &dyn Ids) -> EngineSettings {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let node = NodeInfo {
        id: NodeId(ids.uuid()),
        // Tells this node from those of other machines that listen on the same address.
        name: format!("{url} on {}", host.trim()),
        url: settings.node.url.clone().unwrap_or_else(|| url.to_owned()),
        secret: format!("{}{}", ids.uuid().simple(), ids.uuid().simple()),
        version: env!("CARGO_PKG_VERSION").into(),
    };
    let limits = &settings.limits;
    let pressure = Pressure::new(limits.memory_mib.map(|mib| mib.saturating_mul(1024 * 1024)));
    // A part of it: what agents hold is held a second time while it is sent to a model.
    let held = pressure.limit().map(|bytes| usize::try_from(bytes / 4).unwrap_or(usize::MAX));
    let usual = EngineSettings::new(node);
    EngineSettings {
        held_bytes: held.unwrap_or(usual.held_bytes),
        idle_after: limits.idle_after,
        tool_timeout: limits.tool_timeout,
        llm_timeout: settings.models.timeout,
        llm_calls: LlmLimits { total: limits.llm_calls, per_provider: limits.llm_calls_per_provider },
        pressure: Some(Arc::new(move || pressure.now())),
        ..usual
    }
}

async fn open(settings: &Settings) -> Result<Database, BootError> {
    if let Some(uri) = &settings.database.uri {
        tracing::info!("connecting to Postgres and bringing its schema up to date");
        let pool = PoolSettings {
            max_connections: settings.database.pool_size,
            acquire_timeout: settings.database.pool_timeout,
            query_timeout: settings.database.query_timeout,
            searches: settings.database.searches,
            ..PoolSettings::default()
        };
        let store = Store::connect(uri.expose(), &pool).await?;
        return Ok(Database {
            store,
            #[cfg(feature = "embedded-postgres")]
            embedded: None,
        });
    }
    #[cfg(feature = "embedded-postgres")]
    {
        tracing::info!("opening the embedded database in {}", settings.data_dir.display());
        let (store, embedded) = Embedded::start(&settings.data_dir).await?;
        Ok(Database { store, embedded: Some(embedded) })
    }
    #[cfg(not(feature = "embedded-postgres"))]
    Err(BootError::NoDatabase)
}

/// What seals secrets: with the key that is set, or one beside the other files of this server.
fn vault(settings: &Settings) -> Vault {
    settings.encryption_key.clone().map_or_else(|| Vault::in_directory(&settings.data_dir), Vault::with_key)
}

fn provider_settings(settings: &Settings) -> ProviderSettings {
    ProviderSettings {
        embed_timeout: settings.models.timeout,
        max_embed_requests: settings.limits.llm_calls_per_provider,
        ..ProviderSettings::default()
    }
}
