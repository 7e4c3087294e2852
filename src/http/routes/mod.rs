//! Endpoints: a folder for a resource, a file for an endpoint.
//!
//! [`crate::http::router`] lists them. A handler reads its input with the extractors of [`crate::http::extract`], calls
//! [`crate::app`] (or the store, where one call does it), and answers a DTO. What two resources need stands in
//! [`crate::http`] or [`crate::app`]: they do not import from each other.

pub mod admin;
pub mod agents;
pub mod archives;
pub mod blocks;
pub mod chat;
pub mod conversations;
pub mod groups;
pub mod health;
pub mod messages;
pub mod metrics;
pub mod models;
pub mod passages;
pub mod runs;
pub mod steps;
pub mod tags;
pub mod tools;
pub mod unbuilt;
