//! Agents and what hangs on them.
//!
//! `query` reads the filters of lists. Each other file is an endpoint.

pub mod archival_memory;
pub mod archives;
pub mod context;
pub mod core_memory;
pub mod count;
pub mod create;
pub mod delete;
pub mod files;
pub mod folders;
pub mod groups;
pub mod list;
pub mod modify;
pub mod query;
pub mod recompile;
pub mod retrieve;
pub mod schedule;
pub mod sources;
pub mod tools;
