//! `/v1/agents/{agent_id}/schedule`: messages that are sent at a time.

pub mod create;
pub mod delete;
pub mod list;
pub mod retrieve;
