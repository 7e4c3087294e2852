//! `POST /v1/groups/`

use axum::Json;

use super::zone;
use crate::app::{
    App,
    groups::{self, GroupSpec},
};
use crate::http::{
    dto::groups::{CreateGroup, GroupDto},
    error::ApiError,
    extract::ApiJson,
};

/// Creates a group. Its shared blocks are attached to all its agents; 409 when one of them has another
/// block with the label of a shared one.
#[utoipa::path(post, path = "/v1/groups", tag = "groups", request_body = CreateGroup,
    responses((status = 200, body = GroupDto)))]
pub async fn create(app: App, ApiJson(request): ApiJson<CreateGroup>) -> Result<Json<GroupDto>, ApiError> {
    let mut config = request.manager_config.unwrap_or_default();
    let leader = config.manager_agent_id;
    zone(&app, &mut config, leader).await?;
    let spec = GroupSpec {
        description: request.description,
        manager: config.create(app.clock.now())?,
        agent_ids: request.agent_ids,
        shared_block_ids: request.shared_block_ids.unwrap_or_default(),
        project_id: request.project_id,
        hidden: request.hidden,
    };
    Ok(Json(groups::create(&app, spec).await?.into()))
}
