//! `POST /v1/admin/orgs/`

use axum::Json;
use engram_domain::{OrgId, Organization};

use crate::http::{
    Operator,
    dto::tenants::{OrganizationDto, OrganizationWrite},
    error::ApiError,
    extract::ApiJson,
};

/// Creates an organization with its built-in tools.
#[utoipa::path(post, path = "/v1/admin/orgs", tag = "admin", request_body = OrganizationWrite,
    responses((status = 200, body = OrganizationDto)))]
pub async fn create(
    Operator(app): Operator,
    ApiJson(body): ApiJson<OrganizationWrite>,
) -> Result<Json<OrganizationDto>, ApiError> {
    let now = app.clock.now();
    let id = OrgId(app.ids.uuid());
    let organization = Organization {
        id,
        name: body.name.unwrap_or_else(|| id.to_string()),
        privileged_tools: body.privileged_tools.unwrap_or_default(),
        created_at: now,
        updated_at: now,
    };
    app.tenants.create_organization(&organization, now, app.ids.as_ref()).await?;
    Ok(Json(organization.into()))
}
