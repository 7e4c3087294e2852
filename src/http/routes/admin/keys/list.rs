//! `GET /v1/admin/keys/`

use axum::Json;

use crate::{
    app::App,
    http::{
        dto::tenants::ApiKeyDto,
        error::ApiError,
        extract::ApiQuery,
        pagination::{DEFAULT_LIMIT, PageQuery},
    },
};

/// Lists API keys by how they begin, those that were revoked too; the oldest first unless the caller says otherwise.
#[utoipa::path(get, path = "/v1/admin/keys", tag = "admin", params(PageQuery),
    responses((status = 200, body = Vec<ApiKeyDto>)))]
pub async fn list(app: App, ApiQuery(paging): ApiQuery<PageQuery>) -> Result<Json<Vec<ApiKeyDto>>, ApiError> {
    let keys = app.tenants.api_keys(paging.page(DEFAULT_LIMIT, true)?).await?;
    Ok(Json(keys.into_iter().map(ApiKeyDto::from).collect()))
}
