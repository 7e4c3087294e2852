//! Agents behind OpenAI's API of chat completions, for voice pipelines and whatever else speaks it.
//!
//! Invariants: every agent can be spoken to, whatever its type; it is told only what it has not heard
//! ([`crate::http::dto::chat::request`]); the first words leave with the first piece of the model's answer; every refusal
//! has OpenAI's shape next to ours.

pub mod agent;
pub mod complete;
pub mod model;
pub mod voice;
