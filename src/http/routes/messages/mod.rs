//! Endpoints that talk to an agent and read what was said.

pub mod all;
pub mod cancel;
pub mod create;
pub mod create_async;
pub mod list;
pub mod modify;
pub mod preview;
pub mod reset;
pub mod search;
pub mod stream;
pub mod summarize;
