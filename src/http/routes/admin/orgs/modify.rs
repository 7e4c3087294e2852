//! `PATCH /v1/admin/orgs/`

use axum::Json;

use crate::{
    app::App,
    http::{
        dto::tenants::{OrganizationDto, OrganizationQuery, OrganizationWrite},
        error::ApiError,
        extract::{ApiJson, ApiQuery},
    },
};

/// Changes an organization.
#[utoipa::path(patch, path = "/v1/admin/orgs", tag = "admin", params(OrganizationQuery),
    request_body = OrganizationWrite, responses((status = 200, body = OrganizationDto), (status = 404, description = "No such organization")))]
pub async fn modify(
    app: App,
    ApiQuery(query): ApiQuery<OrganizationQuery>,
    ApiJson(body): ApiJson<OrganizationWrite>,
) -> Result<Json<OrganizationDto>, ApiError> {
    let id = query.id()?;
    let now = app.clock.now();
    let organization = app.tenants.modify_organization(id, body.name.as_deref(), body.privileged_tools, now).await?;
    Ok(Json(organization.ok_or_else(|| ApiError::not_found("Organization", id))?.into()))
}
