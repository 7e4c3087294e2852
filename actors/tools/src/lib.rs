//! Tool executors: what a tool call does that is not a pure edit of memory.
//!
//! What it does: [`Executors`] implements the port [`engram_core::ports::ToolExecutor`]. It knows of
//! each tool what a crash may do to a call of it ([`mod@effect`]), and runs the calls.
//!
//! Invariants: a call that ends does so in an outcome; what goes wrong is an error for the model. How long a call
//! may take is up to whoever makes it. Nothing here writes to the database: writes are part of the
//! outcome and happen in the commit that holds the result. Arguments are checked against the schema
//! before a tool sees them. Values of the agent's variables are in no text and no log.
//!
//! To add a tool: its schema in `engram_core::builtin`, a file here with a `run` function, a line in
//! `Executors::call`, its effect in [`mod@effect`] where the one of its kind is wrong, and its name in
//! `engram_core::builtin::is_available`.

mod archival_memory_insert;
mod archival_memory_search;
mod conversation_search;
mod effect;
mod executors;
mod multi_agent;
mod recall;
mod search_memory;
mod send_message;
mod store_memories;
mod when;

pub use effect::effect;
pub use executors::Executors;

#[cfg(test)]
mod tests;
