//! `PATCH /v1/groups/{group_id}/reset-messages`

use axum::Json;
use engram_domain::GroupId;

use crate::app::{App, groups::messages};
use crate::http::{ApiError, PathId};

/// Deletes the messages of a group from the conversation of every member. Other messages of those agents stay.
#[utoipa::path(
    patch, path = "/v1/groups/{group_id}/reset-messages", tag = "groups", params(("group_id" = String, Path)),
    responses((status = 200, description = "`null`"), (status = 404, description = "No such group"))
)]
pub async fn reset_messages(app: App, PathId(id): PathId<GroupId>) -> Result<Json<()>, ApiError> {
    messages::reset(&app, id).await?;
    Ok(Json(()))
}
