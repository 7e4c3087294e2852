//! Memory blocks as things of their own.

pub mod agents;
pub mod count;
pub mod create;
pub mod delete;
pub mod list;
pub mod modify;
pub mod query;
pub mod retrieve;
