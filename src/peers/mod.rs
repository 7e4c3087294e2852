//! How nodes speak to each other: one route, asked by [`client`] and answered by [`server`].
//!
//! Invariants: only who presents this process's secret is answered, password or not; what is asked is
//! done here or not at all, never passed on; a peer's answer is JSON, or newline-delimited JSON with an empty line
//! every second as a sign of life.

pub mod client;
pub mod server;

/// The route below a node's address.
pub const PATH: &str = "/internal/node";
/// The header that carries the secret of the node that is asked.
pub const SECRET: &str = "x-engram-node-secret";
