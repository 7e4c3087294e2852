//! The tools of an agent.

pub mod approval;
pub mod attach;
pub mod detach;
pub mod list;
pub mod run;
