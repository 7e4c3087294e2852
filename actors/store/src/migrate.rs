//! Bringing the schema to what this build needs. Migrations are part of the binary.

use sqlx::{
    PgConnection,
    migrate::{MigrateError, Migrator},
};

use crate::connect::ConnectError;

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// Any number; all nodes of all versions must agree on it.
const LOCK: i64 = 0x656e_6772_616d;

/// Runs what has not run yet. Several nodes may start at once: they wait for each other.
pub(crate) async fn run(connection: &mut PgConnection) -> Result<(), ConnectError> {
    sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut *connection).await.map_err(other)?;
    let result = locked(connection).await;
    // On failure the caller drops the connection, which frees the lock as well.
    if result.is_ok() {
        sqlx::query("SELECT pg_advisory_unlock($1)").bind(LOCK).execute(&mut *connection).await.map_err(other)?;
    }
    result
}

/// Whether the schema is what this version needs, without changing it.
pub(crate) async fn check(connection: &mut PgConnection) -> Result<(), ConnectError> {
    let used: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .map_err(other)?;
    let has: Option<i64> = if used {
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(connection)
            .await
            .map_err(other)?
    } else {
        None
    };
    let needs = MIGRATOR.iter().map(|m| m.version).max();
    if has == needs {
        return Ok(());
    }
    let number = |version: Option<i64>| version.map_or("none".to_owned(), |v| v.to_string());
    Err(ConnectError::Schema { has: number(has), needs: number(needs) })
}

async fn locked(connection: &mut PgConnection) -> Result<(), ConnectError> {
    // Asked first, because `CREATE EXTENSION IF NOT EXISTS` wants the right to create it even where
    // it exists.
    let installed: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector')")
        .fetch_one(&mut *connection)
        .await
        .map_err(other)?;
    if !installed {
        sqlx::query("CREATE EXTENSION IF NOT EXISTS vector")
            .execute(&mut *connection)
            .await
            .map_err(|e| ConnectError::NoVector(e.as_database_error().map_or(e.to_string(), |d| d.message().into())))?;
    }
    MIGRATOR.run(connection).await.map_err(|e| match e {
        MigrateError::VersionMissing(version) => ConnectError::Migrate(format!(
            "it has migration {version}, which this version does not know: a newer version has used this database. \
             Start that version, or restore the backup made before the upgrade"
        )),
        MigrateError::VersionMismatch(version) => ConnectError::Migrate(format!(
            "migration {version} was applied with another text than this version's: the database belongs to another build"
        )),
        MigrateError::Dirty(version) => {
            ConnectError::Migrate(format!("migration {version} was interrupted and left half done; restore a backup"))
        }
        e => ConnectError::Migrate(e.to_string()),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn other(error: sqlx::Error) -> ConnectError {
    ConnectError::Other(error.to_string())
}
