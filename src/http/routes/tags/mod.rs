//! Tags of agents.

pub mod list;
