//! `POST /v1/agents/{agent_id}/schedule`

use axum::{Json, http::StatusCode};
use engram_domain::AgentId;

use crate::app::{App, agents, schedules};
use crate::http::{
    dto::{
        messages::letta::timestamp,
        schedules::{CreateSchedule, ScheduleCreated},
    },
    error::ApiError,
    extract::{ApiJson, PathId},
};

/// Sends a message at a time, or again and again. Each time is a run in the agent's own conversation,
/// and waits there for its turn. What was missed while no server was there is made up for once.
#[utoipa::path(post, path = "/v1/agents/{agent_id}/schedule", tag = "agents.schedule",
    params(("agent_id" = String, Path)), request_body = CreateSchedule,
    responses((status = 201, body = ScheduleCreated)))]
pub async fn create_schedule(
    app: App,
    PathId(agent_id): PathId<AgentId>,
    ApiJson(request): ApiJson<CreateSchedule>,
) -> Result<(StatusCode, Json<ScheduleCreated>), ApiError> {
    let agent = agents::find(&app, agent_id).await?;
    let when = request.schedule.clone().read(&["body", "schedule"], &agent.timezone, app.clock.now())?;
    let schedule = schedules::create(&app, agent_id, request.spec(when)?).await?;
    let answer = ScheduleCreated { id: schedule.id.to_string(), next_scheduled_at: schedule.next_at.map(timestamp) };
    Ok((StatusCode::CREATED, Json(answer)))
}
