//! Endpoints of steps: one model call each, and what followed from it.

pub mod feedback;
pub mod list;
pub mod messages;
pub mod retrieve;
pub mod trace;
