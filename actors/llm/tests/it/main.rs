//! The crate as the server uses it, against small servers on loopback that misbehave on purpose.

mod chat;
mod embeddings;
mod faults;
mod lessons;
mod lists;
mod odd;
mod registry;
mod server;
mod support;
