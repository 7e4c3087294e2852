//! From what sqlx and Postgres say to [`StoreError`].
//!
//! Whose fault an error is decides what becomes of the work. Only SQLSTATE classes 22 (data), 23 (constraints) and 54
//! (limits) say that the content is wrong, and that the same content will be refused again. Everything else is the
//! database's: a full disk, a lost connection, a lock, a restart, a plan or a statement that is outdated. Then the same
//! request may work in a moment, and it is [`StoreError::Unavailable`].

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
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed => {
            StoreError::Unavailable(error.to_string())
        }
        sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_) => StoreError::Invalid(error.to_string()),
        sqlx::Error::ColumnDecode { index, source } => {
            StoreError::Database(format!("column {index} cannot be read: {source}"))
        }
        _ => StoreError::Database(error.to_string()),
    }
}

/// When a connection last turned out to be lost, to one that takes no writes, or to one with outdated statements.
static BROKEN: Mutex<Option<Instant>> = Mutex::new(None);

/// Whether a connection of this age was there when another one broke. It is not worth a try then: a
/// restart breaks all of them, and one made while the database took no writes may stay so for ever.
pub(crate) fn is_suspect(age: Duration) -> bool {
    BROKEN.lock().is_some_and(|at| at.elapsed() < age)
}

/// What a caller can do about it decides the kind: correct it (invalid, conflict), or repeat it (unavailable).
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
    match code.get(..2) {
        // A value out of range, text with a NUL character, a vector of another length; a rule of the schema; a value
        // that is too large for an index.
        Some("22" | "23" | "54") => StoreError::Invalid(text),
        _ if code == QUERY_CANCELED => StoreError::Overloaded(SLOW.into()),
        _ => match repeatable(&code) {
            Some(why) => StoreError::Unavailable(why.into()),
            None => StoreError::Unavailable(format!("{text} ({code})")),
        },
    }
}

/// What Postgres says of a statement that took longer than `statement_timeout`.
const QUERY_CANCELED: &str = "57014";
/// What a caller hears of it.
const SLOW: &str = "The database took longer for this query than it may. Ask for less, or try again.";

/// Of what the database broke off so that the very next try may go through: what the error says, whatever language the
/// database speaks.
fn repeatable(code: &str) -> Option<&'static str> {
    match code {
        "40P01" => Some("deadlock detected"),
        "40001" => Some("another transaction came first"),
        _ if is_stale(code) => Some("a prepared statement is outdated"),
        _ => None,
    }
}

/// What is said of statements that were prepared on a connection when things were different: a migration has changed
/// the type of a column (0A000), or a pooler has put another connection of the server behind this one (26000, and 42P05
/// where that one knows the name already).
fn is_stale(code: &str) -> bool {
    matches!(code, "0A000" | "26000" | "42P05")
}

/// Whether the whole transaction may be tried again at once: nothing of it has happened, and what was in its way is gone.
pub fn is_repeatable(error: &StoreError) -> bool {
    let StoreError::Unavailable(text) = error else { return false };
    ["40P01", "40001", "26000"].into_iter().any(|code| repeatable(code) == Some(text.as_str()))
}

/// Whether the connection is of no use any more, and those of its age are not either.
fn is_break(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(e) => e.code().is_some_and(|code| {
            code == "25006" || code.starts_with("08") || code.starts_with("57P") || is_stale(&code)
        }),
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
