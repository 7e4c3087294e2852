//! `POST /v1/agents/{agent_id}/schedule`

use axum::{Json, http::StatusCode};
use engram_domain::{AgentId, Schedule, ScheduleId};

use crate::app::App;
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
    let agent = app.store.agent(agent_id).await?.ok_or_else(|| ApiError::not_found("Agent", agent_id))?;
    let now = app.clock.now();
    let (when, first) = request.schedule.clone().read(&["body", "schedule"], &agent.timezone, now)?;
    let schedule = Schedule {
        id: ScheduleId(app.ids.uuid()),
        agent_id,
        input: request.input(when.repeats())?,
        callback_url: request.callback_url,
        when,
        next_at: Some(first),
        last_at: None,
        last_run_id: None,
        last_run_status: None,
        runs: 0,
        created_at: now,
    };
    app.store.create_schedule(&schedule).await?;
    let answer = ScheduleCreated { id: schedule.id.to_string(), next_scheduled_at: schedule.next_at.map(timestamp) };
    Ok((StatusCode::CREATED, Json(answer)))
}
