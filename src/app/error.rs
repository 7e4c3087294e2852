//! Why the application did not do what it was asked for.
//!
//! Paths name members of the input types of this layer, from the outside to the inside. Whoever calls (HTTP, an import,
//! a command) says where that input came from.

use engram_core::ports::StoreError;
use engram_domain::Json;
use engram_engine::{CommandError, SubmitError};
use engram_store::messages::MessagePageError;

/// What a call of the application answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal or a failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing.
    #[error("{what} with ID {id} not found")]
    NotFound {
        /// The kind of thing, with a capital letter.
        what: &'static str,
        /// Its id as it was asked for.
        id: String,
    },
    /// There is no such thing; it was asked for by something else than its id.
    #[error("{0}")]
    NoSuch(String),
    /// A member of the input is wrong.
    #[error("{}: {expected}", path.join("."))]
    Invalid {
        /// Where it stands; places in lists are numbers.
        path: Vec<String>,
        /// What was expected.
        expected: String,
        /// What came.
        got: Json,
    },
    /// The input as a whole makes no sense.
    #[error("{0}")]
    Rejected(String),
    /// It clashes with how things are now.
    #[error("{0}")]
    Conflict(String),
    /// The caller knew an older version of what it wants to change.
    #[error("the block is at version {version} now; read it again")]
    Stale {
        /// The version now.
        version: i64,
    },
    /// Too much of this kind is being done; the same request works a moment later.
    #[error(transparent)]
    Busy(#[from] super::cpu::Busy),
    /// The server knows of it, and does not have it yet.
    #[error("{0}")]
    NotBuilt(String),
    /// Not now; try again, or elsewhere.
    #[error("{0}")]
    Unavailable(String),
    /// A provider of models failed.
    #[error("{0}")]
    Provider(String),
    /// A run was not accepted.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A conversation did not carry out a command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Our fault.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// There is no thing of this kind with this id.
    pub fn not_found(what: &'static str, id: impl std::fmt::Display) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }

    /// A member of the input is wrong.
    pub fn invalid<S: AsRef<str>>(path: &[S], expected: impl Into<String>, got: impl Into<Json>) -> Self {
        let path = path.iter().map(|part| part.as_ref().to_owned()).collect();
        Self::Invalid { path, expected: expected.into(), got: got.into() }
    }

    /// Our fault.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::Internal(cause.to_string())
    }
}

/// A cursor that is no message of the list is an error, as it always was.
impl From<MessagePageError> for Error {
    fn from(error: MessagePageError) -> Self {
        match error {
            MessagePageError::UnknownCursor(id) => Self::not_found("Message", id),
            MessagePageError::Store(error) => Self::Store(error),
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::Error;

    /// Path and expectation of a refusal, for tests.
    pub fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> (String, String) {
        match result {
            Err(Error::Invalid { path, expected, .. }) => (path.join("."), expected),
            other => panic!("expected a refusal that names a member, got {other:?}"),
        }
    }
}
