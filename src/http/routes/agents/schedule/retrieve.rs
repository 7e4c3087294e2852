//! `GET /v1/agents/{agent_id}/schedule/{scheduled_message_id}`

use axum::Json;
use engram_domain::{AgentId, ScheduleId};

use crate::app::{App, schedules};
use crate::http::{dto::schedules::ScheduledMessageDto, error::ApiError, extract::PathId};

/// A schedule with its next and its last time.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/schedule/{scheduled_message_id}", tag = "agents.schedule",
    params(("agent_id" = String, Path), ("scheduled_message_id" = String, Path)),
    responses((status = 200, body = ScheduledMessageDto)))]
pub async fn retrieve_schedule(
    app: App,
    PathId((agent, id)): PathId<(AgentId, ScheduleId)>,
) -> Result<Json<ScheduledMessageDto>, ApiError> {
    Ok(Json(schedules::find(&app, agent, id).await?.into()))
}
