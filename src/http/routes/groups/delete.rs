//! `DELETE /v1/groups/{group_id}`

use axum::Json;
use engram_domain::GroupId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, groups};
use crate::http::{error::ApiError, extract::PathId};

/// Confirms that it is done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GroupDeleted)]
pub struct Deleted {
    /// In words.
    message: String,
}

/// Deletes a group. Its runs end, and its agents' current runs for it; the agents stay, with the blocks that they shared.
#[utoipa::path(delete, path = "/v1/groups/{group_id}", tag = "groups", params(("group_id" = String, Path)),
    responses((status = 200, body = Deleted)))]
pub async fn delete(app: App, PathId(id): PathId<GroupId>) -> Result<Json<Deleted>, ApiError> {
    groups::delete(&app, id).await?;
    Ok(Json(Deleted { message: format!("Group id={id} successfully deleted") }))
}
