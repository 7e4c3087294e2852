//! The tree and where each of its members comes from.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use engram_core::ports::Ids as _;
use engram_domain::Secret;

use crate::{
    ambient::RandomIds,
    cli::ServerArgs,
    config::{ConfigError, Environment, LimitSettings, ListenSettings, NodeSettings, TraceSettings, known},
};

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The HTTP side.
    pub server: ServerSettings,
    /// What clients' connections may take.
    pub listen: ListenSettings,
    /// Where the embedded database and other files live.
    pub data_dir: PathBuf,
    /// The database.
    pub database: DatabaseSettings,
    /// What secrets in the database are encrypted with; a key that is kept in the data directory when none.
    pub encryption_key: Option<Secret>,
    /// Models.
    pub models: ModelSettings,
    /// How much at once and how long at most.
    pub limits: LimitSettings,
    /// How this node presents itself to others.
    pub node: NodeSettings,
    /// Log lines.
    pub log: LogSettings,
    /// Where spans go; none when no collector is named.
    pub traces: Option<TraceSettings>,
    /// Variables that are set, known, and without effect.
    pub unsupported: Vec<String>,
    /// The environment, for the parts that read their own family of variables (model providers).
    pub environment: Environment,
}

/// The HTTP side.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Name or address to listen on.
    pub host: String,
    /// Port, 0 for a free one.
    pub port: u16,
    /// Whether a password is required, and made where none is set.
    pub secure: bool,
    /// Whether other machines may use the server without a password.
    pub no_auth: bool,
    /// The password; set whenever `secure` is, once the server serves.
    pub password: Option<Secret>,
    /// Names that the server answers to without a password, besides loopback's and addresses; `*` for all.
    pub allowed_hosts: Vec<String>,
    /// Origins that browsers may call from, besides the machine's own; `*` for all.
    pub cors_origins: Vec<String>,
    /// Bytes that a request body may have.
    pub max_body_bytes: usize,
    /// How long running requests may go on after the first stop signal.
    pub grace: Duration,
    /// Time between two signs of life in a stream.
    pub keepalive: Duration,
}

/// The database.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// A Postgres server with pgvector; none for the embedded one.
    pub uri: Option<Secret>,
    /// Connections at most.
    pub pool_size: u32,
    /// How long a request waits for a connection.
    pub pool_timeout: Duration,
    /// How long one statement may take of those that callers ask for; no limit when none.
    pub query_timeout: Option<Duration>,
    /// Searches at once.
    pub searches: usize,
}

/// Models.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// Model of agents that are created without one, as `provider/model`.
    pub default_llm: Option<String>,
    /// Embedding model of agents that are created without one.
    pub default_embedding: Option<String>,
    /// How long one model call may take, with its retries; also one request for embeddings.
    pub timeout: Duration,
    /// Largest context window, in tokens, that an agent gets without asking for more.
    pub max_context_window: Option<i32>,
}

/// Log lines.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// A filter as `info,engram=debug`.
    pub filter: String,
    /// Whether lines are JSON.
    pub json: bool,
}

/// Text with a number of seconds.
pub(super) fn seconds(env: &Environment, names: &[&str], default: u64) -> Result<Duration, ConfigError> {
    Ok(Duration::from_secs(env.number(names, "a whole number of seconds")?.unwrap_or(default)))
}

impl Settings {
    /// Flags over environment (which already lies over `.env`) over defaults.
    pub fn resolve(args: &ServerArgs, env: &Environment) -> Result<Self, ConfigError> {
        let data_dir = match args.data_dir.clone().or_else(|| env.text(&["ENGRAM_DATA_DIR"]).map(PathBuf::from)) {
            Some(dir) => dir,
            None => env.text(&["HOME", "USERPROFILE"]).map(PathBuf::from).ok_or(ConfigError::NoHome)?.join(".engram"),
        };
        let secure = args.secure || env.flag(&["SECURE", "LETTA_SERVER_SECURE"])?.unwrap_or(false);
        let debug = args.debug || env.flag(&["LETTA_DEBUG"])?.unwrap_or(false);
        let port = match args.port {
            Some(port) => port,
            None => env.number(&["PORT", "LETTA_SERVER_PORT"], "a port from 0 to 65535")?.unwrap_or(8283),
        };
        let server = ServerSettings {
            host: args
                .host
                .clone()
                .or_else(|| env.text(&["HOST", "LETTA_SERVER_HOST"]))
                .unwrap_or_else(|| "127.0.0.1".into()),
            port,
            secure,
            no_auth: args.no_auth || env.flag(&["ENGRAM_NO_AUTH"])?.unwrap_or(false),
            password: env.text(&["LETTA_SERVER_PASSWORD"]).map(Secret::new),
            allowed_hosts: env.text(&["ENGRAM_ALLOWED_HOSTS"]).map(|t| list(&t)).unwrap_or_default(),
            cors_origins: env.text(&["ACCEPTABLE_ORIGINS"]).map(|t| list(&t)).unwrap_or_default(),
            max_body_bytes: env.number(&["ENGRAM_MAX_BODY_BYTES"], "a number of bytes")?.unwrap_or(10 * 1024 * 1024),
            grace: seconds(env, &["ENGRAM_SHUTDOWN_SECONDS"], 20)?,
            keepalive: seconds(env, &["LETTA_KEEPALIVE_INTERVAL"], 20)?.max(Duration::from_secs(1)),
        };
        let database = DatabaseSettings {
            uri: database_uri(env).map(Secret::new),
            pool_size: env.number(&["LETTA_PG_POOL_SIZE"], "a number of connections")?.unwrap_or(25).max(1),
            pool_timeout: seconds(env, &["LETTA_PG_POOL_TIMEOUT"], 30)?,
            query_timeout: Some(seconds(env, &["ENGRAM_QUERY_TIMEOUT_SECONDS"], 30)?).filter(|limit| !limit.is_zero()),
            searches: env.number(&["ENGRAM_MAX_SEARCHES"], "a number of searches")?.unwrap_or(4).max(1),
        };
        let models = ModelSettings {
            default_llm: env.text(&["LETTA_DEFAULT_LLM_HANDLE"]),
            default_embedding: env.text(&["LETTA_DEFAULT_EMBEDDING_HANDLE"]),
            timeout: seconds(env, &["ENGRAM_LLM_TIMEOUT_SECONDS"], 600)?,
            max_context_window: env.number(&["GLOBAL_MAX_CONTEXT_WINDOW_LIMIT"], "a number of tokens")?,
        };
        let default_filter = if debug {
            "info,tokio_cron_scheduler=warn,engram=debug,engram_engine=debug,engram_store=debug,engram_llm=debug"
        } else {
            "info,tokio_cron_scheduler=warn"
        };
        let log = LogSettings {
            filter: env.text(&["ENGRAM_LOG"]).unwrap_or_else(|| default_filter.into()),
            json: args.log_json || env.flag(&["ENGRAM_LOG_JSON"])?.unwrap_or(false),
        };
        let encryption_key = env.text(&["LETTA_ENCRYPTION_KEY"]).map(Secret::new);
        let unsupported = known::unsupported(env.names());
        let (limits, node) = (LimitSettings::resolve(env)?, NodeSettings::resolve(env)?);
        let (listen, traces) = (ListenSettings::resolve(env)?, TraceSettings::resolve(env)?);
        let environment = env.clone();
        Ok(Self {
            server,
            listen,
            data_dir,
            database,
            encryption_key,
            models,
            limits,
            node,
            log,
            traces,
            unsupported,
            environment,
        })
    }

    /// Whether it may listen on this address as it is.
    ///
    /// # Errors
    /// Other machines would be let in without a password and nobody said that they may; or somebody did, and set one.
    pub fn check_exposure(&self, address: SocketAddr) -> Result<(), ConfigError> {
        match (&self.server.password, self.server.no_auth) {
            (Some(_), true) => Err(ConfigError::NoAuthWithPassword),
            (None, false) if !address.ip().to_canonical().is_loopback() => Err(ConfigError::Open { address }),
            _ => Ok(()),
        }
    }

    /// Makes a password where one is required and none was given, and prints it, once.
    pub fn make_password(&mut self) {
        if self.server.secure && self.server.password.is_none() {
            // 122 random bits.
            let password = RandomIds.uuid().simple().to_string();
            println!("This server requires a password. LETTA_SERVER_PASSWORD is not set, so one was made: {password}");
            self.server.password = Some(Secret::new(password));
        }
    }
}

/// `LETTA_PG_URI`, or one put together from the parts when at least the host is named.
fn database_uri(env: &Environment) -> Option<String> {
    if let Some(uri) = env.text(&["LETTA_PG_URI", "DATABASE_URL"]) {
        // SQLAlchemy spells drivers into the scheme.
        return Some(match uri.split_once("://") {
            Some((scheme, rest)) if scheme.starts_with("postgres") => format!("postgres://{rest}"),
            _ => uri,
        });
    }
    let host = env.text(&["LETTA_PG_HOST"])?;
    let part = |name: &str, default: &str| env.text(&[name]).unwrap_or_else(|| default.into());
    let encode =
        |text: String| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    Some(format!(
        "postgres://{}:{}@{host}:{}/{}",
        encode(part("LETTA_PG_USER", "letta")),
        encode(part("LETTA_PG_PASSWORD", "letta")),
        part("LETTA_PG_PORT", "5432"),
        encode(part("LETTA_PG_DB", "letta")),
    ))
}

/// A comma list, or a JSON list as pydantic reads it.
fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text)
        .unwrap_or_else(|_| text.split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Environment {
        [("HOME", "/home/x")].iter().chain(pairs).map(|(k, v)| (*k, *v)).collect()
    }

    fn resolve(args: &ServerArgs, pairs: &[(&str, &str)]) -> Settings {
        Settings::resolve(args, &env(pairs)).expect("valid settings")
    }

    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
        let file = [("PORT".to_owned(), "1".to_owned()), ("HOST".to_owned(), "file".to_owned())];
        let process = [("PORT".to_owned(), "2".to_owned()), ("HOME".to_owned(), "/home/x".to_owned())];
        let env = Environment::layered(file, process);
        let none = Settings::resolve(&ServerArgs::default(), &env).expect("valid settings");
        assert_eq!((none.server.port, none.server.host.as_str()), (2, "file"));
        let args = ServerArgs { port: Some(3), host: Some("flag".into()), ..ServerArgs::default() };
        let flags = Settings::resolve(&args, &env).expect("valid settings");
        assert_eq!((flags.server.port, flags.server.host.as_str()), (3, "flag"));
        let defaults = resolve(&ServerArgs::default(), &[]);
        assert_eq!((defaults.server.port, defaults.server.host.as_str()), (8283, "127.0.0.1"));
        assert_eq!(defaults.data_dir, PathBuf::from("/home/x/.engram"));
    }

    #[test]
    fn secrets_never_print() {
        let settings = resolve(
            &ServerArgs::default(),
            &[
                ("SECURE", "true"),
                ("LETTA_SERVER_PASSWORD", "hunter2"),
                ("OPENAI_API_KEY", "sk-hunter2"),
                ("LETTA_PG_URI", "postgres://u:hunter2@h/db"),
            ],
        );
        assert_eq!(settings.server.password.as_ref().map(Secret::expose), Some("hunter2"));
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn a_password_is_made_only_where_one_is_required() {
        let mut open = resolve(&ServerArgs::default(), &[]);
        open.make_password();
        assert_eq!(open.server.password, None);
        let mut given = resolve(&ServerArgs::default(), &[("LETTA_SERVER_PASSWORD", "x")]);
        given.make_password();
        assert_eq!(given.server.password.as_ref().map(Secret::expose), Some("x"), "without SECURE as well");
        let mut secure = resolve(&ServerArgs { secure: true, ..ServerArgs::default() }, &[]);
        secure.make_password();
        assert_eq!(secure.server.password.map(|p| p.expose().len()), Some(32));
    }

    #[test]
    fn other_machines_are_let_in_with_a_password_or_by_an_explicit_word() {
        let listens = |pairs: &[(&str, &str)], address: &str| {
            resolve(&ServerArgs::default(), pairs).check_exposure(address.parse().expect("an address"))
        };
        let open = "0.0.0.0:8283".parse().expect("an address");
        assert_eq!(listens(&[], "0.0.0.0:8283"), Err(ConfigError::Open { address: open }));
        for address in ["[::]:8283", "192.168.1.7:8283", "[::ffff:10.0.0.1]:1"] {
            assert!(listens(&[], address).is_err(), "{address}");
            assert_eq!(listens(&[("LETTA_SERVER_PASSWORD", "x")], address), Ok(()));
            assert_eq!(listens(&[("ENGRAM_NO_AUTH", "true")], address), Ok(()));
        }
        for address in ["127.0.0.1:8283", "[::1]:8283", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(listens(&[], address), Ok(()), "{address}");
        }
        let both = [("LETTA_SERVER_PASSWORD", "x"), ("ENGRAM_NO_AUTH", "true")];
        assert_eq!(listens(&both, "127.0.0.1:8283"), Err(ConfigError::NoAuthWithPassword));
    }

    #[test]
    fn addresses_of_databases_are_read_as_the_old_server_wrote_them() {
        let uri =
            |pairs: &[(&str, &str)]| resolve(&ServerArgs::default(), pairs).database.uri.map(|s| s.expose().to_owned());
        assert_eq!(uri(&[("LETTA_PG_URI", "postgresql+pg8000://a@b/c")]).as_deref(), Some("postgres://a@b/c"));
        assert_eq!(
            uri(&[("LETTA_PG_HOST", "db"), ("LETTA_PG_PASSWORD", "a b")]).as_deref(),
            Some("postgres://letta:a%20b@db:5432/letta")
        );
        assert_eq!(uri(&[]), None);
    }

    #[test]
    fn a_bad_value_names_its_variable() {
        let error = Settings::resolve(&ServerArgs::default(), &env(&[("PORT", "many")])).expect_err("it is wrong");
        assert_eq!(error.to_string(), "the environment variable PORT should be a port from 0 to 65535");
        let error = Settings::resolve(&ServerArgs::default(), &env(&[("SECURE", "maybe")])).expect_err("it is wrong");
        assert!(error.to_string().contains("SECURE"));
    }

    #[test]
    fn what_has_no_effect_is_named() {
        let settings = resolve(
            &ServerArgs::default(),
            &[("CLICKHOUSE_USERNAME", "x"), ("TAVILY_API_KEY", "y"), ("LETTA_UVICORN_WORKERS", "")],
        );
        assert_eq!(settings.unsupported, ["CLICKHOUSE_USERNAME", "TAVILY_API_KEY"]);
    }
}
