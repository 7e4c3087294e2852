//! Where a conversation stands: what the user asked last, and what was done about it.

use engram_core::ports::llm::ChatMessage;
use engram_domain::{Json, message::parts_text};

use crate::embed::hash;

/// What its own calls are named when no order asked for them.
const AUTO: &str = "call_auto_";

/// The last thing that the user asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) text: String,
    /// Calls that the model has made since because the text ordered them.
    pub(super) calls_made: usize,
    /// Whether it has made calls since that nothing ordered.
    pub(super) made_others: bool,
}

/// Finds it. Empty when the user said nothing that is still in context.
pub(super) fn last_asked(messages: &[ChatMessage]) -> Asked {
    let found = messages.iter().enumerate().rev().find_map(|(i, message)| match message {
        ChatMessage::User { parts, .. } => Some((i, by_user(parts_text(parts))?)),
        _ => None,
    });
    let Some((at, text)) = found else { return Asked::default() };
    let since = messages[at..].iter().flat_map(|m| match m {
        ChatMessage::Assistant { calls, .. } => calls.as_slice(),
        _ => &[],
    });
    let (others, ordered): (Vec<_>, Vec<_>) = since.partition(|c| c.id.starts_with(AUTO));
    Asked { text, calls_made: ordered.len(), made_others: !others.is_empty() }
}

/// The words of a message in the user's role: as they are, or out of their package; none for a
/// package that the user never sees.
pub(super) fn by_user(text: String) -> Option<String> {
    if !text.trim_ascii_start().starts_with('{') {
        return Some(text);
    }
    let Ok(Json::Object(mut package)) = serde_json::from_str(&text) else { return Some(text) };
    match package.get("type").and_then(Json::as_str) {
        Some("heartbeat" | "login" | "system_alert") => None,
        Some("user_message") => match package.remove("message") {
            Some(Json::String(message)) => Some(message),
            _ => Some(text),
        },
        _ => Some(text),
    }
}

/// An id for the next call. It depends on the ids that are in context, so it is none of them even when
/// a compaction makes the count of messages what it was before.
pub(super) fn call_id(messages: &[ChatMessage], auto: bool, name: &str, arguments: &str) -> String {
    let mut seed = format!("{}\0{name}\0{arguments}", messages.len());
    for message in messages {
        if let ChatMessage::Assistant { calls, .. } = message {
            for call in calls {
                seed.push('\0');
                seed.push_str(&call.id);
            }
        }
    }
    let prefix = if auto { AUTO } else { "call_" };
    format!("{prefix}{:016x}", hash(seed.as_bytes()))
}
