//! From what sqlx and Postgres say to [`StoreError`].

use std::time::{Duration, Instant};

use engram_core::ports::StoreError;
use parking_lot::Mutex;
use sqlx::error::{DatabaseError, ErrorKind};

/// The store's error for one of sqlx. A function and not `From`, because both types are foreign.
/// It takes the error by value to be handed to `map_err`.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub(crate) fn db(error: sqlx::Error) -> StoreError {
    if is_break(&error) {
        *BROKEN.lock() = Some(Instant::now());
    }
    match &error {
        sqlx::Error::Database(e) => database(e.as_ref()),
        sqlx::Error::PoolTimedOut => StoreError::Unavailable("no free connection in time".into()),
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            StoreError::Unavailable("the connection pool is closed".into())
        }
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
            StoreError::Unavailable(error.to_string())
        }
        sqlx::Error::ColumnDecode { index, source } => {
            StoreError::Database(format!("column {index} cannot be read: {source}"))
        }
        _ => StoreError::Database(error.to_string()),
    }
}

/// When a connection last turned out to be lost, or to one that takes no writes.
static BROKEN: Mutex<Option<Instant>> = Mutex::new(None);

/// Whether a connection of this age was there when another one broke. It is not worth a try then: a
/// restart breaks all of them, and one made while the database took no writes may stay so for ever.
pub(crate) fn is_suspect(age: Duration) -> bool {
    BROKEN.lock().is_some_and(|at| at.elapsed() < age)
}

/// What a caller can do about it decides the kind: repeat (unavailable), correct (invalid,
/// conflict), or nothing (database).
fn database(error: &dyn DatabaseError) -> StoreError {
    let text = error.message().to_owned();
    match error.kind() {
        ErrorKind::UniqueViolation => return StoreError::Conflict(conflict(error.constraint(), text)),
        ErrorKind::ForeignKeyViolation => return StoreError::Invalid(missing(error.constraint(), text)),
        ErrorKind::NotNullViolation => return StoreError::Invalid(absent(text)),
        ErrorKind::CheckViolation => return StoreError::Invalid(text),
        _ => {}
    }
    let code = error.code().unwrap_or_default();
    match code.as_ref() {
        QUERY_CANCELED => StoreError::Overloaded(SLOW.into()),
        "40P01" => StoreError::Unavailable(DEADLOCK.into()),
        // Shutting down, starting up, too many connections, read-only (a stand-by after a
        // fail-over), serialization: the same request may work in a moment.
        "25006" | "40001" | "53300" | "55P03" => StoreError::Unavailable(text),
        c if c.starts_with("08") || c.starts_with("57P") => StoreError::Unavailable(text),
        // Disk full, out of memory: it will work when somebody has made room.
        c if c.starts_with("53") => StoreError::Unavailable(text),
        // A value out of range, text with a NUL character, a vector of another length.
        c if c.starts_with("22") => StoreError::Invalid(text),
        _ => StoreError::Database(format!("{text} ({code})")),
    }
}

/// What Postgres says of a statement that took longer than `statement_timeout`.
const QUERY_CANCELED: &str = "57014";
/// What a caller hears of it.
const SLOW: &str = "The database took longer for this query than it may. Ask for less, or try again.";

/// What an error says that is a deadlock, whatever language the database speaks.
const DEADLOCK: &str = "deadlock detected";

/// Whether the database broke a transaction off because it and another one waited for each other.
pub(crate) fn is_deadlock(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(text) if text == DEADLOCK)
}

fn is_break(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(e) => {
            e.code().is_some_and(|code| code == "25006" || code.starts_with("08") || code.starts_with("57P"))
        }
        _ => false,
    }
}

/// Words for the unique constraints that a caller can run into.
fn conflict(constraint: Option<&str>, text: String) -> String {
    match constraint {
        Some("tools_organization_id_name_key") => "a tool with this name exists".into(),
        Some("agent_blocks_agent_id_label_key") => "the agent has a block with this label".into(),
        Some("agent_blocks_pkey") => "the block is attached to the agent".into(),
        Some("agent_env_agent_id_key_key") => "the agent has a variable with this key".into(),
        _ => text,
    }
}

/// Words for rows that name something of another organization: those statements look up what they name, and find
/// nothing.
fn absent(text: String) -> String {
    let what = [("block", "\"block_id\""), ("tool", "\"tool_id\""), ("agent", "\"agent_id\"")]
        .into_iter()
        .find(|(_, column)| text.contains(column));
    what.map_or(text, |(what, _)| format!("the {what} does not exist"))
}

/// Words for the foreign keys that a caller can run into.
fn missing(constraint: Option<&str>, text: String) -> String {
    let what = match constraint {
        Some(c) if c.ends_with("_block_id_fkey") => "block",
        Some(c) if c.ends_with("_tool_id_fkey") => "tool",
        Some(c) if c.ends_with("_archive_id_fkey") => "archive",
        Some(c) if c.ends_with("_agent_id_fkey") => "agent",
        Some(c) if c.ends_with("_conversation_id_fkey") => "conversation",
        _ => return text,
    };
    format!("the {what} does not exist")
}
