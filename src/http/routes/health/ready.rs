//! `GET /v1/ready`.

use std::time::Duration;

use axum::Json;
use engram_store::LEASE;

use super::{Health, answer};
use crate::app::App;
use crate::http::ApiError;

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether the server should be sent requests.
///
/// 503 while it hands its work over, while the database does not answer within a second, and while this node could
/// not tell the others for longer than its lease that it lives.
#[utoipa::path(
    get, path = "/v1/ready", tag = "health",
    responses((status = 200, body = Health), (status = 503, description = "Send requests elsewhere"))
)]
pub async fn ready(app: App) -> Result<Json<Health>, ApiError> {
    if app.engine.is_draining() {
        return Err(ApiError::unavailable("This server is shutting down."));
    }
    let silent = app.engine.silent_for();
    if silent > LEASE {
        return Err(ApiError::unavailable(format!(
            "This server could not renew its lease for {} seconds.",
            silent.as_secs()
        )));
    }
    match tokio::time::timeout(PATIENCE, app.store.ping()).await {
        Ok(Ok(())) => Ok(answer(&app)),
        Ok(Err(_)) | Err(_) => Err(ApiError::unavailable("The database does not answer.")),
    }
}
