//! Whether this server should be sent requests.

use std::time::Duration;

use engram_store::LEASE;

use crate::app::{App, Error, Result};

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(1);

/// Fails while the server hands its work over, while the database does not answer within a second or takes no writes, and
/// while this node could not tell the others for longer than its lease that it lives.
pub async fn ready(app: &App) -> Result<()> {
    if app.engine.is_draining() {
        return Err(Error::Unavailable("This server is shutting down.".into()));
    }
    let silent = app.engine.silent_for();
    if silent > LEASE {
        let text = format!("This server could not renew its lease for {} seconds.", silent.as_secs());
        return Err(Error::Unavailable(text));
    }
    if let Some(why) = app.store.failing_writes() {
        tracing::warn!(why, "not ready: the database takes no writes");
        return Err(Error::Unavailable("The database takes no writes.".into()));
    }
    match tokio::time::timeout(PATIENCE, app.store.ping()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Error::Unavailable("The database does not answer.".into())),
    }
}
