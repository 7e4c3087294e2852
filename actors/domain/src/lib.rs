//! The nouns of the field, without I/O.
//!
//! What it does: typed ids ([`ids`]), the entities that are stored and moved between the other
//! crates, and the enumerations whose spelling is fixed by the wire.
//!
//! Invariants: nothing here reads a clock, a random source, a file or a socket; wire DTOs live in
//! the binary's `http::dto`, row structs in `engram-store`, and neither is known here. Everything
//! that is kept as JSONB ([`message::Content`], [`config`], [`rule::ToolRule`]) reads leniently
//! (unknown members are ignored, missing ones get a default) and writes strictly.
//!
//! To add one more noun: a file with its struct, an id in [`ids`], and a line here. To add what may begin a run: a line in
//! [`run_type`]; a kind of error: a line in [`run_error`], and its HTTP status in the binary's `http/error.rs`; a key under
//! which a request is known when it comes again: a kind and a constructor in [`request_key`].

pub mod agent;
pub mod archive;
pub mod block;
pub mod config;
pub mod conversation;
pub mod group;
pub mod ids;
pub mod message;
pub mod request_key;
pub mod rule;
pub mod run;
pub mod run_error;
pub mod run_type;
pub mod schedule;
pub mod secret;
mod spelling;
pub mod step;
pub mod tenant;
pub mod tool;

pub use agent::{Agent, AgentType, EnvVar};
pub use archive::{Archive, Passage};
pub use block::Block;
pub use config::{CompactionSettings, EmbeddingConfig, LlmConfig};
pub use conversation::Conversation;
pub use group::{Group, ManagerConfig, ManagerType};
pub use ids::*;
pub use message::{Content, Message, Part, Role, ToolCall, ToolReturn, ToolStatus};
pub use request_key::{KeyKind, RequestKey};
pub use rule::ToolRule;
pub use run::{BusyPolicy, NewRun, Run, RunInput, RunOwner, RunStatus, StopReason, Usage};
pub use run_error::RunErrorKind;
pub use run_type::RunType;
pub use schedule::{Schedule, When};
pub use secret::Secret;
pub use step::{Step, StepStatus};
pub use tenant::{ApiKey, DEFAULT_ORGANIZATION, DEFAULT_USER, KeyScope, Organization, Scope, User};
pub use tool::{Tool, ToolEffect, ToolKind};

/// A point in time, always UTC. Postgres keeps microseconds, so nothing finer is promised.
pub type Time = chrono::DateTime<chrono::Utc>;
/// A JSON value as it travels in open-ended members (`metadata`, `response_format`, …).
pub type Json = serde_json::Value;
/// A JSON object.
pub type JsonMap = serde_json::Map<String, serde_json::Value>;
