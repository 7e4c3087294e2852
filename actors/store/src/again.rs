//! Transactions that are tried again.
//!
//! Most transactions lock what they change in one order. Deleting an agent cannot: rows go with it in an order that
//! the database chooses. Of two that wait for each other the database breaks one off; nothing of that has happened, and
//! after the other it goes through.

use crate::{Result, error::is_deadlock};

/// How often in all.
const TRIES: usize = 3;

/// Tries a whole transaction, again where it was broken off in a deadlock.
pub(crate) async fn again<T, F>(transaction: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    for _ in 1..TRIES {
        match transaction().await {
            Err(error) if is_deadlock(&error) => tracing::debug!("a transaction gave way to another one"),
            result => return result,
        }
    }
    transaction().await
}
