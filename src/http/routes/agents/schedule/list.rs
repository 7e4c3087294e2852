//! `GET /v1/agents/{agent_id}/schedule`

use axum::Json;
use engram_domain::AgentId;

use crate::app::{App, schedules};
use crate::http::{
    dto::schedules::{ScheduledMessageDto, ScheduledMessages},
    error::ApiError,
    extract::{ApiQuery, PathId},
    pagination::{DEFAULT_LIMIT, PageQuery},
};

/// The schedules of an agent with their next and their last time, the oldest first unless the caller
/// says otherwise. Those that are over stay until they are deleted.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/schedule", tag = "agents.schedule",
    params(("agent_id" = String, Path), PageQuery), responses((status = 200, body = ScheduledMessages)))]
pub async fn list_schedules(
    app: App,
    PathId(id): PathId<AgentId>,
    ApiQuery(paging): ApiQuery<PageQuery>,
) -> Result<Json<ScheduledMessages>, ApiError> {
    let page = paging.page(DEFAULT_LIMIT, true)?;
    let (found, has_next_page) = schedules::page(&app, id, page).await?;
    let scheduled_messages = found.into_iter().map(ScheduledMessageDto::from).collect();
    Ok(Json(ScheduledMessages { scheduled_messages, has_next_page }))
}
