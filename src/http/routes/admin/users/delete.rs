//! `DELETE /v1/admin/users/`

use axum::Json;

use crate::{
    app::App,
    http::{
        dto::tenants::{UserDto, UserQuery, user_id},
        error::ApiError,
        extract::ApiQuery,
    },
};

/// Deletes a user. What it made stays with its organization.
#[utoipa::path(delete, path = "/v1/admin/users", tag = "admin", params(UserQuery),
    responses((status = 200, body = UserDto), (status = 404, description = "No such user"), (status = 409, description = "It is the default one")))]
pub async fn delete(app: App, ApiQuery(query): ApiQuery<UserQuery>) -> Result<Json<UserDto>, ApiError> {
    let id = user_id(&["query", "user_id"], &query.user_id)?;
    let user = app.tenants.delete_user(id).await?;
    Ok(Json(user.ok_or_else(|| ApiError::not_found("User", id))?.into()))
}
