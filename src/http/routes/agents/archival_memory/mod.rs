//! The passages of an agent's archives.

pub mod create;
pub mod delete;
pub mod list;
pub mod modify;
pub mod search;
