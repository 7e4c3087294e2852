//! Messages that are sent at a time.

use engram_domain::{AgentId, RunInput, Schedule, ScheduleId, Time, schedule::When};

use crate::app::{App, Error, Result};

/// A schedule to be made.
#[derive(Debug, Clone)]
pub struct ScheduleSpec {
    /// What is asked of the agent each time.
    pub input: RunInput,
    /// Where to report the end of each run.
    pub callback_url: Option<String>,
    /// When.
    pub when: When,
    /// The first time.
    pub first: Time,
}

/// Makes a schedule. Each time is a run in the agent's own conversation.
pub async fn create(app: &App, agent_id: AgentId, spec: ScheduleSpec) -> Result<Schedule> {
    let schedule = Schedule {
        id: ScheduleId(app.ids.uuid()),
        agent_id,
        input: spec.input,
        callback_url: spec.callback_url,
        when: spec.when,
        next_at: Some(spec.first),
        last_at: None,
        last_run_id: None,
        last_run_status: None,
        runs: 0,
        created_at: app.clock.now(),
    };
    app.store.create_schedule(&schedule).await?;
    Ok(schedule)
}

/// The schedule of an agent, which must exist.
pub async fn find(app: &App, agent: AgentId, id: ScheduleId) -> Result<Schedule> {
    app.store.schedule(agent, id).await?.ok_or_else(|| Error::not_found("Scheduled message", id))
}
