//! The whole server over HTTP, in this process, each test on a database of its own.
//!
//! What only shows with the official clients, a killed process or a faulty provider is tested in the
//! other folders of `tests/`; here is what a change of the Rust code should notice within seconds.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that panics has said what is wrong; its ids and its client are its own"
)]

mod connections;
mod context;
mod contract;
mod errors;
mod groups;
mod memory;
mod model;
mod node;
mod observability;
mod origins;
mod server;
mod tenants;
