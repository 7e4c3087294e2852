//! What becomes of runs that a duty has begun.

use std::sync::Arc;

use engram_core::ports::{StoreError, store::Begun};

use crate::{Inner, messaging};

/// Runs that one statement begins at most.
pub(super) const BATCH: i64 = 200;

/// Sees to it that they are worked on. True when they are a full batch.
pub(super) async fn announce(inner: &Arc<Inner>, begun: Vec<Begun>) -> Result<bool, StoreError> {
    let full = i64::try_from(begun.len()).is_ok_and(|n| n >= BATCH);
    for (conversation, run) in begun {
        messaging::announce(inner, conversation.into(), run).await?;
    }
    Ok(full)
}
