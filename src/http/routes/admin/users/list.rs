//! `GET /v1/admin/users/`

use axum::Json;

use crate::{
    app::App,
    http::{
        dto::tenants::UserDto,
        error::ApiError,
        extract::ApiQuery,
        pagination::{DEFAULT_LIMIT, PageQuery},
    },
};

/// Lists users, the oldest first unless the caller says otherwise.
#[utoipa::path(get, path = "/v1/admin/users", tag = "admin", params(PageQuery),
    responses((status = 200, body = Vec<UserDto>)))]
pub async fn list(app: App, ApiQuery(paging): ApiQuery<PageQuery>) -> Result<Json<Vec<UserDto>>, ApiError> {
    let users = app.tenants.users(paging.page(DEFAULT_LIMIT, true)?).await?;
    Ok(Json(users.into_iter().map(UserDto::from).collect()))
}
