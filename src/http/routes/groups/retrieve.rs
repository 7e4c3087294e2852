//! `GET /v1/groups/{group_id}`

use axum::Json;
use engram_domain::GroupId;

use crate::app::{App, groups};
use crate::http::{dto::groups::GroupDto, error::ApiError, extract::PathId};

/// A group.
#[utoipa::path(get, path = "/v1/groups/{group_id}", tag = "groups", params(("group_id" = String, Path)),
    responses((status = 200, body = GroupDto)))]
pub async fn retrieve(app: App, PathId(id): PathId<GroupId>) -> Result<Json<GroupDto>, ApiError> {
    Ok(Json(groups::find(&app, id).await?.into()))
}
