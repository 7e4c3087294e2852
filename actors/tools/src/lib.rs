//! Tool runners: what executes a tool call that the step function does not execute itself.
//!
//! What it does: [`Runners`] implements the port [`ToolRunner`](engram_core::ports::ToolRunner) for every kind of tool, by
//! a table of one runner for each kind: [`BuiltinRunner`] for what comes with the server, others for custom tools and for
//! those of other services. Calls of tools that a client brings along in its request reach no runner: they wait for the
//! client, which the step function sees to.
//!
//! Invariants: a call that ends does so in an outcome; what goes wrong is an error for the model. How long a call
//! may take is up to whoever makes it. Nothing here writes to the database: writes are part of the
//! outcome and happen in the commit that holds the result. Arguments were prepared by whoever asks for the call. Values
//! of the agent's variables are in no text and no log. What a repeated call would do is a property of the tool
//! ([`ToolEffect`](engram_domain::ToolEffect)) and not known here.
//!
//! To add a built-in tool (three files): its entry in `engram_core::builtin`, a file under `builtin/` with its function,
//! two lines in `builtin.rs`. One that needs only its arguments and the blocks is no matter of this crate.
//!
//! To add a runner for a kind of tool: a file here with an `impl ToolRunner`, and its line in [`Runners::new`]. A kind
//! that is new altogether is a variant of `engram_domain::ToolKind` first.

mod builtin;
mod custom;
mod external;
mod runners;

pub use builtin::{BuiltinRunner, MessageLimits};
use engram_core::ports::ToolOutcome;
pub use runners::Runners;

/// Characters of an error that the model is shown.
const ERROR_CHARS: usize = 500;

/// The outcome of a failed call, in the shape that the old servers gave it.
fn failed(name: &str, text: &str) -> ToolOutcome {
    let text: String = text.chars().take(ERROR_CHARS).collect();
    ToolOutcome {
        stderr: vec![format!("Error executing function {name}: ValueError: {text}")],
        ..ToolOutcome::error(text)
    }
}

#[cfg(test)]
mod tests;
