//! `GET /v1/ready`.

use axum::Json;

use super::{Health, answer};
use crate::app::{App, health};
use crate::http::ApiError;

/// Whether the server should be sent requests.
///
/// 503 while it hands its work over, while the database does not answer within a second or takes no writes, and while
/// this node could not tell the others for longer than its lease that it lives.
#[utoipa::path(
    get, path = "/v1/ready", tag = "health",
    responses((status = 200, body = Health), (status = 503, description = "Send requests elsewhere"))
)]
pub async fn ready(app: App) -> Result<Json<Health>, ApiError> {
    health::ready(&app).await?;
    Ok(answer(&app))
}
