//! Pure logic of an agent, and the ports it needs.
//!
//! What it does: [`step`] turns a state and an event into a new state and effects; [`prompt`]
//! compiles memory into the system prompt; [`memory`] edits blocks; [`compact`] decides what leaves
//! the context; [`rules`] decides which tools may be called; [`builtin`] is the catalogue of tools
//! that come with the server; [`schedule`] says when something is due; [`retry`] how long is paused before another try; [`tokens`] counts;
//! [`chain`] is the list that a context is kept in; [`weak_cache`] keeps equal values once.
//!
//! Invariants: no clock, no randomness, no async outside the port traits; the same input gives the
//! same output. A conversation that the step function has committed is well-formed: every tool call
//! has exactly one result, or is the last message and waits for the client.
//!
//! To add a built-in tool (two or three files): see [`builtin`]. To add a kind of tool: a variant of
//! `engram_domain::ToolKind`, and its runner in `engram-tools`.

pub mod builtin;
pub mod chain;
pub mod compact;
pub mod group;
pub mod initial_messages;
pub mod memory;
pub mod package;
pub mod ports;
pub mod prompt;
pub mod prompts;
pub mod retry;
pub mod rules;
pub mod schedule;
pub mod source_reader;
pub mod step;
pub mod tokens;
pub mod transcript;
pub mod weak_cache;
