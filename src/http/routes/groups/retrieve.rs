//! `GET /v1/groups/{group_id}`

use axum::Json;
use engram_domain::{Group, GroupId};

use crate::app::App;
use crate::http::{dto::groups::GroupDto, error::ApiError, extract::PathId};

/// A group.
#[utoipa::path(get, path = "/v1/groups/{group_id}", tag = "groups", params(("group_id" = String, Path)),
    responses((status = 200, body = GroupDto)))]
pub async fn retrieve(app: App, PathId(id): PathId<GroupId>) -> Result<Json<GroupDto>, ApiError> {
    find(&app, id).await.map(|group| Json(group.into()))
}

/// The group, or 404.
pub async fn find(app: &App, id: GroupId) -> Result<Group, ApiError> {
    app.store.group(id).await?.ok_or_else(|| ApiError::not_found("Group", id))
}
