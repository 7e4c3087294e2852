//! `send_message`: the words are in the call itself, which is what the client is shown.

use engram_core::ports::ToolOutcome;

/// The constant that clients know.
pub(crate) fn run() -> ToolOutcome {
    ToolOutcome::ok("Sent message successfully.")
}
