//! `POST /v1/groups/`

use axum::Json;
use engram_domain::{Group, GroupId};

use super::check;
use crate::app::App;
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
    let now = app.clock.now();
    let mut config = request.manager_config.unwrap_or_default();
    let leader = config.manager_agent_id;
    check::zone(&app, &mut config, leader).await?;
    let manager = config.create(now)?;
    let shared_block_ids = request.shared_block_ids.unwrap_or_default();
    check::members(&app, &request.agent_ids).await?;
    check::manager(&app, &manager).await?;
    check::blocks(&app, &shared_block_ids).await?;
    let group = Group {
        id: GroupId(app.ids.uuid()),
        description: request.description,
        turns_counter: manager.first_turns_counter(),
        manager,
        agent_ids: request.agent_ids,
        shared_block_ids,
        last_processed_message_id: None,
        project_id: request.project_id,
        template_id: None,
        base_template_id: None,
        hidden: request.hidden,
        created_at: now,
        updated_at: now,
    };
    app.store.create_group(&group).await?;
    Ok(Json(group.into()))
}
