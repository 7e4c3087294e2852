//! `PATCH /v1/groups/{group_id}`

use axum::Json;
use engram_domain::{Group, GroupId};
use engram_store::groups::GroupPatch;

use super::{check, retrieve::find};
use crate::app::App;
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
    let group = find(&app, id).await?;
    let now = app.clock.now();
    let mut config = request.manager_config;
    if let Some(config) = &mut config {
        let leader = config.manager_agent_id.or(group.manager.manager_agent_id());
        check::zone(&app, config, leader).await?;
        check::manager(&app, &config.clone().update(group.manager, now)?).await?;
    }
    if let Some(ids) = &request.agent_ids {
        check::members(&app, ids).await?;
    }
    if let Some(ids) = &request.shared_block_ids {
        check::blocks(&app, ids).await?;
    }
    let patch = GroupPatch {
        description: request.description,
        manager: None,
        agent_ids: request.agent_ids,
        shared_block_ids: request.shared_block_ids,
        add_block: None,
        remove_block: None,
        project_id: request.project_id,
        hidden: request.hidden,
    };
    // Settings that the request does not name stay as they are then, not as they were above.
    let changes = |group: &Group| {
        let manager = config.clone().map(|config| config.update(group.manager.clone(), now)).transpose()?;
        Ok::<_, ApiError>(GroupPatch { manager, ..patch.clone() })
    };
    let group = app.store.change_group(id, now, changes).await??;
    group.map(|g| Json(g.into())).ok_or_else(|| ApiError::not_found("Group", id))
}
