//! `POST /v1/admin/keys/`

use axum::Json;

use crate::{
    app::{App, keys},
    http::{
        dto::tenants::{ApiKeyCreate, CreatedApiKeyDto},
        error::ApiError,
        extract::ApiJson,
    },
};

/// Creates an API key of an organization, the caller's where none is named. The key itself is in this answer and
/// nowhere else: keep it.
#[utoipa::path(post, path = "/v1/admin/keys", tag = "admin", request_body = ApiKeyCreate,
    responses((status = 200, body = CreatedApiKeyDto)))]
pub async fn create(app: App, ApiJson(body): ApiJson<ApiKeyCreate>) -> Result<Json<CreatedApiKeyDto>, ApiError> {
    let (key, secret) = keys::create(&app, body.spec(app.scope)?).await?;
    Ok(Json(CreatedApiKeyDto { about: key.into(), key: secret }))
}
