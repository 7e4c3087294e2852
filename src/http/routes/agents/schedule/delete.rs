//! `DELETE /v1/agents/{agent_id}/schedule/{scheduled_message_id}`

use axum::Json;
use engram_domain::{AgentId, ScheduleId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, schedules};
use crate::http::{error::ApiError, extract::PathId};

/// Confirms that it is done.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleDeleted {
    /// Always true.
    success: bool,
}

/// Deletes a schedule. A run that it has begun goes on.
#[utoipa::path(delete, path = "/v1/agents/{agent_id}/schedule/{scheduled_message_id}", tag = "agents.schedule",
    params(("agent_id" = String, Path), ("scheduled_message_id" = String, Path)),
    responses((status = 200, body = ScheduleDeleted)))]
pub async fn delete_schedule(
    app: App,
    PathId((agent, id)): PathId<(AgentId, ScheduleId)>,
) -> Result<Json<ScheduleDeleted>, ApiError> {
    schedules::delete(&app, agent, id).await?;
    Ok(Json(ScheduleDeleted { success: true }))
}
