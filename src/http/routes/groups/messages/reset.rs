//! `PATCH /v1/groups/{group_id}/reset-messages`

use axum::Json;
use engram_domain::GroupId;

use crate::app::{App, groups::messages};
use crate::http::{ApiError, PathId};

/// Forget everything that was said in a group, in the memory of every agent that heard it. What else those agents
/// said and heard stays.
#[utoipa::path(
    patch, path = "/v1/groups/{group_id}/reset-messages", tag = "groups", params(("group_id" = String, Path)),
    responses((status = 200, description = "`null`"), (status = 404, description = "No such group"))
)]
pub async fn reset_messages(app: App, PathId(id): PathId<GroupId>) -> Result<Json<()>, ApiError> {
    messages::reset(&app, id).await?;
    Ok(Json(()))
}
