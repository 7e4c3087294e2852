//! Organizations, their users, and API keys.
//!
//! Invariants: a key is stored as its SHA-256 alone; the default organization and its user cannot be deleted; an
//! organization goes with everything that it owns. An organization reaches its own users and keys. [`crate::Store`]
//! itself only answers who asks.

mod keys;
mod organizations;
mod users;

pub use keys::{KeyHolder, NewApiKey};
