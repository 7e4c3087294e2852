//! Endpoints: a folder for a resource, a file for an endpoint.
//!
//! Every resource has `pub fn router() -> OpenApiRouter<AppState>`. Paths are written without a
//! trailing slash and below `/v1`. A handler reads its input with the extractors of
//! [`crate::http::extract`], calls the store or the engine, and answers a DTO.

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
