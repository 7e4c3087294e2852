//! `POST /v1/admin/users/`

use axum::Json;
use engram_domain::{User, UserId};

use crate::{
    app::App,
    http::{
        dto::tenants::{UserCreate, UserDto},
        error::ApiError,
        extract::ApiJson,
    },
};

/// Creates a user of an organization. Requests name it in the header `user_id`.
#[utoipa::path(post, path = "/v1/admin/users", tag = "admin", request_body = UserCreate,
    responses((status = 200, body = UserDto)))]
pub async fn create(app: App, ApiJson(body): ApiJson<UserCreate>) -> Result<Json<UserDto>, ApiError> {
    let now = app.clock.now();
    let user = User {
        id: UserId(app.ids.uuid()),
        organization_id: body.organization()?,
        name: body.name,
        timezone: body.timezone.unwrap_or_else(|| "UTC".into()),
        created_at: now,
        updated_at: now,
    };
    app.tenants.create_user(&user).await?;
    Ok(Json(user.into()))
}
