//! The Engram server: the REST API, the command line, and the wiring of the parts.
//!
//! What it does: [`cli`] reads the command line, [`config`] makes one settings tree of it and of the
//! environment, [`boot`] wires store, models, tools and engine together, [`app`] carries out what is asked for, [`http`]
//! is the API over it, [`listen`] serves that, [`telemetry`] tells how it goes.
//!
//! Invariants: `boot.rs` is the only place that knows concrete types from two sides; wire types stay
//! in `http::dto`; [`app`] knows nothing of [`http`], and resources of the API nothing of each other; secrets are [`engram_domain::Secret`] and never print.
//!
//! To add a command: a variant in [`cli`]; a setting: a member in [`config`]; an operation: see [`app`]; an endpoint:
//! see [`http`].

mod ambient;
mod app;
pub mod boot;
pub mod cli;
pub mod config;
mod http;
#[cfg(test)]
mod layers;
pub mod listen;
mod peers;
mod pressure;
pub mod telemetry;

pub use http::service;
