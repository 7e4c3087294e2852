//! Groups of agents.
//!
//! `check` looks up what a request refers to.

pub mod blocks;
pub mod check;
pub mod count;
pub mod create;
pub mod delete;
pub mod list;
pub mod messages;
pub mod modify;
pub mod retrieve;
