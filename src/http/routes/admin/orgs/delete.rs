//! `DELETE /v1/admin/orgs/`

use axum::Json;

use crate::http::{
    Operator,
    dto::tenants::{OrganizationDto, OrganizationQuery},
    error::ApiError,
    extract::ApiQuery,
};

/// Deletes an organization with its users, keys, agents and all else that it owns.
#[utoipa::path(delete, path = "/v1/admin/orgs", tag = "admin", params(OrganizationQuery),
    responses((status = 200, body = OrganizationDto), (status = 404, description = "No such organization"), (status = 409, description = "It is the default one")))]
pub async fn delete(
    Operator(app): Operator,
    ApiQuery(query): ApiQuery<OrganizationQuery>,
) -> Result<Json<OrganizationDto>, ApiError> {
    let id = query.id()?;
    let organization = app.tenants.delete_organization(id).await?;
    Ok(Json(organization.ok_or_else(|| ApiError::not_found("Organization", id))?.into()))
}
