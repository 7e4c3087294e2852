//! Transactions that are tried again.
//!
//! Most transactions lock what they change in one order. Deleting an agent cannot: rows go with it in an order that
//! the database chooses. Of two that wait for each other the database breaks one off; nothing of that has happened, and
//! after the other it goes through. The same holds for a statement that was prepared before a migration, or behind a
//! pooler on another connection: it is prepared anew on a fresh connection.

use crate::{Result, error::is_repeatable};

/// How often in all.
const TRIES: usize = 3;

/// Tries a whole transaction, again where it was broken off and the next try may go through.
pub(crate) async fn again<T, F>(transaction: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    for _ in 1..TRIES {
        match transaction().await {
            Err(error) if is_repeatable(&error) => tracing::debug!(%error, "a transaction is tried again"),
            result => return result,
        }
    }
    transaction().await
}
