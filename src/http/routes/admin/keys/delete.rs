//! `DELETE /v1/admin/keys/{key_id}`

use axum::Json;
use engram_domain::ApiKeyId;

use crate::{
    app::App,
    http::{dto::tenants::ApiKeyDto, error::ApiError, extract::PathId},
};

/// Revokes an API key. From then on it is refused everywhere; it stays in the list.
#[utoipa::path(delete, path = "/v1/admin/keys/{key_id}", tag = "admin", params(("key_id" = String, Path)),
    responses((status = 200, body = ApiKeyDto)))]
pub async fn delete(app: App, PathId(id): PathId<ApiKeyId>) -> Result<Json<ApiKeyDto>, ApiError> {
    let key = app.tenants.revoke_api_key(id, app.clock.now()).await?;
    Ok(Json(key.ok_or_else(|| ApiError::not_found("API key", id))?.into()))
}
