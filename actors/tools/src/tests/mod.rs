//! The runners against a store and an embedder that live in memory.

mod archival;
mod conversation;
mod dispatch;
mod fakes;
mod multi_agent;
mod texts;
mod voice;
