//! The crate as the server uses it, against small servers on loopback that misbehave on purpose.

mod chat;
mod embeddings;
mod faults;
mod lists;
mod registry;
mod server;
mod support;
