//! `GET /v1/admin/orgs/`

use axum::Json;

use crate::{
    app::App,
    http::{
        dto::tenants::OrganizationDto,
        error::ApiError,
        extract::ApiQuery,
        pagination::{DEFAULT_LIMIT, PageQuery},
    },
};

/// Lists organizations, the oldest first unless the caller says otherwise.
#[utoipa::path(get, path = "/v1/admin/orgs", tag = "admin", params(PageQuery),
    responses((status = 200, body = Vec<OrganizationDto>)))]
pub async fn list(app: App, ApiQuery(paging): ApiQuery<PageQuery>) -> Result<Json<Vec<OrganizationDto>>, ApiError> {
    let organizations = app.tenants.organizations(paging.page(DEFAULT_LIMIT, true)?).await?;
    Ok(Json(organizations.into_iter().map(OrganizationDto::from).collect()))
}
