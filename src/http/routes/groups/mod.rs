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
    app::{App, groups},
    http::{ApiError, dto::groups::ManagerConfigDto},
};

/// A schedule that names no zone speaks of the clock of the agent that leads.
async fn zone(app: &App, config: &mut ManagerConfigDto, leader: Option<AgentId>) -> Result<(), ApiError> {
    if let Some(Some(schedule)) = &mut config.schedule
        && schedule.timezone.is_none()
    {
        schedule.timezone = groups::zone(app, leader).await?;
    }
    Ok(())
}
