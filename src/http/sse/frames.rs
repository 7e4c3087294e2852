//! The text of a stream: one JSON object a frame.

use bytes::Bytes;
use engram_domain::{RunErrorKind, RunId};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::http::dto::messages::{Body, LettaMessage, letta::message_date};

/// Ends a stream. Old TypeScript clients stop at any line that *contains* it, so content that does is
/// escaped.
pub const DONE: &str = "data: [DONE]\n\n";

/// Keeps a stream alive; every client ignores it.
pub const COMMENT: &str = ": keepalive\n\n";

/// `data: {…}`.
pub fn data(object: &impl Serialize) -> Bytes {
    frame("data: ", object)
}

/// `event: error`, then `data: {…}`.
pub fn error(object: &impl Serialize) -> Bytes {
    frame("event: error\ndata: ", object)
}

fn frame(head: &str, object: &impl Serialize) -> Bytes {
    // Our own types always serialize; should one not, the client gets an empty object, not a cut stream.
    let json = serde_json::to_string(object).unwrap_or_else(|_| "{}".into());
    // `[DONE]` outside a string is not JSON, so this only ever changes strings, and not their meaning.
    let json = if json.contains("[DONE]") { json.replace("[DONE]", "\\u005bDONE]") } else { json };
    Bytes::from(format!("{head}{json}\n\n"))
}

/// Keeps a stream alive, as an object. It names the run, so that a caller knows it from the first frame on.
pub fn ping(run: RunId, at: engram_domain::Time, id: Uuid) -> Bytes {
    data(&LettaMessage {
        id: format!("ping-{id}"),
        date: message_date(at),
        name: None,
        otid: None,
        sender_id: None,
        step_id: None,
        is_err: None,
        seq_id: None,
        run_id: Some(run.to_string()),
        body: Body::Ping,
    })
}

/// What went wrong, for 1.x clients.
pub fn error_message(run: RunId, kind: &RunErrorKind, message: &str, seq_id: Option<i64>) -> Bytes {
    error(&json!({
        "message_type": "error_message",
        "run_id": run,
        "error_type": kind,
        "message": title(kind),
        "detail": message,
        "seq_id": seq_id,
    }))
}

/// What went wrong, for old clients.
pub fn old_error(message: &str) -> Bytes {
    error(&json!({ "error": { "message": message } }))
}

fn title(kind: &RunErrorKind) -> &'static str {
    match kind {
        RunErrorKind::LlmTimeout => "The LLM request timed out.",
        RunErrorKind::LlmRateLimit => "The LLM provider's rate limit was exceeded.",
        RunErrorKind::LlmAuthentication => "Authentication with the LLM provider failed.",
        RunErrorKind::Internal => "An internal error occurred while the agent was working.",
        _ => "An error occurred with the LLM request.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_mark_inside_content_is_escaped_without_changing_it() {
        let frame = data(&json!({ "content": "say [DONE] \\[DONE]" }));
        let text = String::from_utf8(frame.to_vec()).expect("UTF-8");
        assert!(!text.contains("[DONE]"));
        let json: serde_json::Value = serde_json::from_str(text.trim().trim_start_matches("data: ")).expect("JSON");
        assert_eq!(json["content"], "say [DONE] \\[DONE]");
    }
}
