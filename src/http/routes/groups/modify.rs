//! `PATCH /v1/groups/{group_id}`

use axum::Json;
use engram_domain::GroupId;
use engram_store::groups::GroupPatch;

use super::zone;
use crate::app::{App, groups};
use crate::http::{
    dto::groups::{GroupDto, UpdateGroup},
    error::ApiError,
    extract::{ApiJson, PathId},
};

/// Changes a group. Members that are absent or null stay as they are, those of `manager_config` too.
#[utoipa::path(patch, path = "/v1/groups/{group_id}", tag = "groups", params(("group_id" = String, Path)),
    request_body = UpdateGroup, responses((status = 200, body = GroupDto)))]
pub async fn modify(
    app: App,
    PathId(id): PathId<GroupId>,
    ApiJson(request): ApiJson<UpdateGroup>,
) -> Result<Json<GroupDto>, ApiError> {
    let group = groups::find(&app, id).await?;
    let now = app.clock.now();
    let mut config = request.manager_config;
    if let Some(config) = &mut config {
        let leader = config.manager_agent_id.or(group.manager.manager_agent_id());
        zone(&app, config, leader).await?;
    }
    let manager = config.map(|config| move |present| config.clone().update(present, now));
    let patch = GroupPatch {
        description: request.description,
        agent_ids: request.agent_ids,
        shared_block_ids: request.shared_block_ids,
        project_id: request.project_id,
        hidden: request.hidden,
        ..GroupPatch::default()
    };
    Ok(Json(groups::change(&app, group, patch, manager).await?.into()))
}
