//! Endpoints of runs: what became of a request to an agent.

pub mod delete;
pub mod list;
pub mod messages;
pub mod metrics;
pub mod resume;
pub mod retrieve;
pub mod steps;
pub mod trace;
pub mod usage;
