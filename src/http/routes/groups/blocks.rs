//! `PATCH /v1/groups/{group_id}/blocks/attach/{block_id}` and `…/detach/{block_id}`

use axum::Json;
use engram_domain::{BlockId, GroupId};

use crate::app::{App, groups};
use crate::http::{dto::groups::GroupDto, error::ApiError, extract::PathId};

/// Shares a block: every agent of the group gets it, and so does every one that joins later. 409 when
/// one of them has another block with its label.
#[utoipa::path(patch, path = "/v1/groups/{group_id}/blocks/attach/{block_id}", tag = "groups",
    params(("group_id" = String, Path), ("block_id" = String, Path)), responses((status = 200, body = GroupDto)))]
pub async fn attach_block(
    app: App,
    PathId((id, block)): PathId<(GroupId, BlockId)>,
) -> Result<Json<GroupDto>, ApiError> {
    let group = groups::attach_block(&app, id, block).await.map_err(|error| ApiError::of_input("path", error))?;
    Ok(Json(group.into()))
}

/// Stops sharing a block: every agent of the group loses it. The block itself stays.
#[utoipa::path(patch, path = "/v1/groups/{group_id}/blocks/detach/{block_id}", tag = "groups",
    params(("group_id" = String, Path), ("block_id" = String, Path)), responses((status = 200, body = GroupDto)))]
pub async fn detach_block(
    app: App,
    PathId((id, block)): PathId<(GroupId, BlockId)>,
) -> Result<Json<GroupDto>, ApiError> {
    Ok(Json(groups::detach_block(&app, id, block).await?.into()))
}
