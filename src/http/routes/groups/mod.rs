//! Groups of agents.

pub mod blocks;
pub mod count;
pub mod create;
pub mod delete;
pub mod list;
pub mod messages;
pub mod modify;
pub mod retrieve;

use engram_domain::AgentId;

use crate::{
    app::App,
    http::{ApiError, dto::groups::ManagerConfigDto},
};

/// A schedule that names no zone speaks of the clock of the agent that leads.
async fn zone(app: &App, config: &mut ManagerConfigDto, leader: Option<AgentId>) -> Result<(), ApiError> {
    let (Some(Some(schedule)), Some(leader)) = (&mut config.schedule, leader) else { return Ok(()) };
    if schedule.timezone.is_none() {
        schedule.timezone = app.store.agent(leader).await?.map(|agent| agent.timezone);
    }
    Ok(())
}
