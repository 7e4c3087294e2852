//! `PUT /v1/admin/users/`

use axum::Json;

use crate::{
    app::App,
    http::{
        dto::tenants::{UserDto, UserUpdate, user_id},
        error::ApiError,
        extract::ApiJson,
    },
};

/// Gives a user another name.
#[utoipa::path(put, path = "/v1/admin/users", tag = "admin", request_body = UserUpdate,
    responses((status = 200, body = UserDto), (status = 404, description = "No such user")))]
pub async fn modify(app: App, ApiJson(body): ApiJson<UserUpdate>) -> Result<Json<UserDto>, ApiError> {
    let id = user_id(&["body", "id"], &body.id)?;
    let user = app.tenants.rename_user(id, body.name.as_deref(), app.clock.now()).await?;
    Ok(Json(user.ok_or_else(|| ApiError::not_found("User", id))?.into()))
}
