//! From `LETTA_PG_URI` to a pool on a database with the right schema.

use std::{str::FromStr, time::Duration};

use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};

use crate::{PoolSettings, Store, migrate};

/// Why the database cannot be used, in words for whoever starts the server. Never has the password
/// in it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URI is not one.
    #[error("LETTA_PG_URI is not a Postgres URI: {0}. Expected postgresql://user:password@host:port/database")]
    Uri(String),
    /// Nobody answers.
    #[error("no Postgres answers at {place}: {reason}")]
    Unreachable {
        /// Host and port, or the socket.
        place: String,
        /// What the system says.
        reason: String,
    },
    /// The server refused the user or the password.
    #[error("Postgres at {place} refused the login of user '{user}': {reason}")]
    Login {
        /// Host and port, or the socket.
        place: String,
        /// The user.
        user: String,
        /// What the server says.
        reason: String,
    },
    /// There is a server, but not this database on it.
    #[error("Postgres at {place} has no database '{database}'; make it with: createdb {database}")]
    NoDatabase {
        /// Host and port, or the socket.
        place: String,
        /// The database.
        database: String,
    },
    /// The server has no pgvector.
    #[error(
        "Postgres lacks the extension 'vector' (pgvector), which archival memory needs: {0}. Install pgvector on the \
         database server (the image pgvector/pgvector has it) and, if the user may not create extensions, let an \
         administrator run: CREATE EXTENSION vector"
    )]
    NoVector(String),
    /// The schema cannot be brought to what this version needs.
    #[error("the database schema cannot be migrated: {0}")]
    Migrate(String),
    /// The schema is of another version than this program's.
    #[error(
        "the database's schema has version {has}, and this program needs {needs}: use the program of the server's \
         version, or start this version's server, which migrates it"
    )]
    Schema {
        /// The version that is there, or `none`.
        has: String,
        /// The version of this program.
        needs: String,
    },
    /// Everything else.
    #[error("the database cannot be used: {0}")]
    Other(String),
}

impl Store {
    /// Connects to a Postgres server, brings its schema up to date (one node at a time) and opens
    /// the pool. Takes the spellings of the old server: `postgresql://`, `postgres://`,
    /// `postgresql+asyncpg://`, `postgresql+pg8000://`.
    pub async fn connect(uri: &str, settings: &PoolSettings) -> Result<Self, ConnectError> {
        let options = parse_uri(uri)?;
        let mut first = first_connection(&options, settings.connect_timeout).await?;
        migrate::run(&mut first).await?;
        // Not needed any more; a failure to say goodbye changes nothing.
        let _ = first.close().await;
        Ok(Self::over(&options, settings))
    }

    /// As [`Store::connect`], for a command that looks at what other processes do: the schema must be what
    /// this version needs, and stays as it is.
    pub async fn connect_existing(uri: &str, settings: &PoolSettings) -> Result<Self, ConnectError> {
        let options = parse_uri(uri)?;
        let mut first = first_connection(&options, settings.connect_timeout).await?;
        migrate::check(&mut first).await?;
        let _ = first.close().await;
        Ok(Self::over(&options, settings))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> crate::Result<()> {
        sqlx::query("SELECT 1").execute(&self.pool).await.map_err(crate::error::db)?;
        Ok(())
    }
}

/// The options that a URI stands for.
fn parse_uri(uri: &str) -> Result<PgConnectOptions, ConnectError> {
    let uri = uri.trim();
    let (scheme, rest) = uri.split_once("://").ok_or_else(|| ConnectError::Uri("it has no '://'".into()))?;
    // SQLAlchemy's spelling names the driver after a plus sign.
    let dialect = scheme.split('+').next().unwrap_or_default();
    if !matches!(dialect, "postgres" | "postgresql") {
        return Err(ConnectError::Uri(format!("its scheme is '{scheme}'")));
    }
    // asyncpg says `ssl` where everybody else says `sslmode`.
    let rest = rest.replacen("?ssl=", "?sslmode=", 1).replacen("&ssl=", "&sslmode=", 1);
    PgConnectOptions::from_str(&format!("postgresql://{rest}"))
        .map(|options| options.application_name("engram"))
        .map_err(|e| ConnectError::Uri(e.to_string()))
}

/// The first connection; what goes wrong here is told to a person.
pub(crate) async fn first_connection(
    options: &PgConnectOptions,
    timeout: Duration,
) -> Result<PgConnection, ConnectError> {
    let place = place(options);
    let error = match tokio::time::timeout(timeout, options.connect()).await {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(error)) => error,
        Err(_) => {
            let reason = format!("no answer within {} s", timeout.as_secs());
            return Err(ConnectError::Unreachable { place, reason });
        }
    };
    let (code, reason) = match error.as_database_error() {
        Some(e) => (e.code().unwrap_or_default().into_owned(), e.message().to_owned()),
        None => (String::new(), error.to_string()),
    };
    Err(match (code.as_str(), &error) {
        ("28P01" | "28000", _) => ConnectError::Login { place, user: options.get_username().to_owned(), reason },
        ("3D000", _) => {
            let database = options.get_database().unwrap_or(options.get_username()).to_owned();
            ConnectError::NoDatabase { place, database }
        }
        ("57P03", _) | (_, sqlx::Error::Io(_)) => ConnectError::Unreachable { place, reason },
        _ => ConnectError::Other(reason),
    })
}

/// Where the server is, without the password.
fn place(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnectError, parse_uri};

    #[test]
    fn the_spellings_of_the_old_server_are_understood() {
        for uri in [
            "postgresql://u:p%40ss@db:5433/letta",
            "postgres://u:p%40ss@db:5433/letta",
            "postgresql+asyncpg://u:p%40ss@db:5433/letta?ssl=disable",
            "postgresql+pg8000://u:p%40ss@db:5433/letta",
        ] {
            let options = parse_uri(uri).unwrap_or_else(|e| panic!("{uri}: {e}"));
            assert_eq!(
                (options.get_host(), options.get_port(), options.get_username(), options.get_database()),
                ("db", 5433, "u", Some("letta")),
                "{uri}"
            );
        }
    }

    #[test]
    fn other_databases_are_refused_without_the_password_in_the_text() {
        for uri in ["sqlite:///letta.db", "letta", "mysql://root:secret@db/letta"] {
            let error = parse_uri(uri).err().map(|e: ConnectError| e.to_string()).unwrap_or_default();
            assert!(error.contains("postgresql://") && !error.contains("secret"), "{uri}: {error}");
        }
    }
}
