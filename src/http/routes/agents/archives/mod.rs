//! The archives of an agent.

pub mod attach;
pub mod detach;
