//! `PATCH /v1/groups/{group_id}/blocks/attach/{block_id}` and `…/detach/{block_id}`

use axum::Json;
use engram_domain::{BlockId, GroupId};
use engram_store::groups::GroupPatch;

use super::{check, retrieve::find};
use crate::app::App;
use crate::http::{dto::groups::GroupDto, error::ApiError, extract::PathId};

/// Shares a block: every agent of the group gets it, and so does every one that joins later. 409 when
/// one of them has another block with its label.
#[utoipa::path(patch, path = "/v1/groups/{group_id}/blocks/attach/{block_id}", tag = "groups",
    params(("group_id" = String, Path), ("block_id" = String, Path)), responses((status = 200, body = GroupDto)))]
pub async fn attach_block(
    app: App,
    PathId((id, block)): PathId<(GroupId, BlockId)>,
) -> Result<Json<GroupDto>, ApiError> {
    check::blocks(&app, &[block]).await?;
    check::room(&find(&app, id).await?, block)?;
    change(&app, id, GroupPatch { add_block: Some(block), ..GroupPatch::default() }).await
}

/// Stops sharing a block: every agent of the group loses it. The block itself stays.
#[utoipa::path(patch, path = "/v1/groups/{group_id}/blocks/detach/{block_id}", tag = "groups",
    params(("group_id" = String, Path), ("block_id" = String, Path)), responses((status = 200, body = GroupDto)))]
pub async fn detach_block(
    app: App,
    PathId((id, block)): PathId<(GroupId, BlockId)>,
) -> Result<Json<GroupDto>, ApiError> {
    if !find(&app, id).await?.shared_block_ids.contains(&block) {
        return Err(ApiError::not_found("Block", block));
    }
    change(&app, id, GroupPatch { remove_block: Some(block), ..GroupPatch::default() }).await
}

async fn change(app: &App, id: GroupId, patch: GroupPatch) -> Result<Json<GroupDto>, ApiError> {
    let group = app.store.modify_group(id, &patch, app.clock.now()).await?;
    group.map(|g| Json(g.into())).ok_or_else(|| ApiError::not_found("Group", id))
}
