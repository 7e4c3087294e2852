//! Messages that are sent at a time.

use engram_domain::{AgentId, RunInput, Schedule, ScheduleId, Time, schedule::When};
use engram_store::Page;

use crate::app::{App, Error, Result, agents};

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

/// A page of the schedules of an agent, and whether there are more behind it.
pub async fn page(app: &App, agent: AgentId, page: Page) -> Result<(Vec<Schedule>, bool)> {
    agents::require(app, agent).await?;
    // One more says whether there are more.
    let mut found = app.store.schedules(agent, Page { limit: page.limit + 1, ..page }).await?;
    let limit = usize::try_from(page.limit).unwrap_or(0);
    let more = found.len() > limit;
    found.truncate(limit);
    Ok((found, more))
}

/// Deletes a schedule. A run that it has begun goes on.
pub async fn delete(app: &App, agent: AgentId, id: ScheduleId) -> Result<()> {
    agents::require(app, agent).await?;
    if app.store.delete_schedule(agent, id).await? { Ok(()) } else { Err(Error::not_found("Scheduled message", id)) }
}

/// The schedule of an agent, which must exist.
pub async fn find(app: &App, agent: AgentId, id: ScheduleId) -> Result<Schedule> {
    agents::require(app, agent).await?;
    app.store.schedule(agent, id).await?.ok_or_else(|| Error::not_found("Scheduled message", id))
}
