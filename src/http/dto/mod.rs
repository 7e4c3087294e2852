//! Wire types: what a client sends and what it gets, and the conversion to and from domain types.
//!
//! Invariants: known only to handlers; `null` members are always present in answers; unknown members
//! of requests are ignored; both SDK generations read the same object (a superset).

pub mod agents;
pub mod archives;
pub mod blocks;
pub mod chat;
pub mod context;
pub mod conversations;
pub mod groups;
mod images;
pub mod llm;
pub mod messages;
pub mod models;
pub mod nodes;
pub mod owned;
pub mod passages;
pub mod patch;
pub mod payload;
pub mod runs;
pub mod schedules;
pub mod steps;
pub mod tenants;
pub mod tools;
pub mod trace;
pub mod tree;
