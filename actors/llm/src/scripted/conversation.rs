//! Where a conversation stands: what the user asked last, and what was done about it.

use engram_core::{chain::Chain, package, ports::llm::ChatMessage};
use engram_domain::message::parts_text;

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
pub(super) fn last_asked(messages: &Chain<ChatMessage>) -> Asked {
    let mut asked = Asked::default();
    for message in messages.iter().rev() {
        match message {
            ChatMessage::Assistant { calls, .. } => {
                let others = calls.iter().filter(|c| c.id.starts_with(AUTO)).count();
                asked.calls_made += calls.len() - others;
                asked.made_others |= others > 0;
            }
            ChatMessage::User { parts, .. } => {
                if let Some(text) = by_user(&parts_text(parts)) {
                    return Asked { text, ..asked };
                }
            }
            _ => {}
        }
    }
    Asked::default()
}

/// The words of a message in the user's role: as they are, or out of their package; none for a
/// package that the user never sees.
pub(super) fn by_user(text: &str) -> Option<String> {
    (!package::is_hidden(text.trim_ascii_start())).then(|| package::words(text).into_owned())
}

/// An id for the next call. It depends on the ids that are in context, so it is none of them even when
/// a compaction makes the count of messages what it was before.
pub(super) fn call_id(messages: &Chain<ChatMessage>, auto: bool, name: &str, arguments: &str) -> String {
    let mut seed = format!("{}\0{name}\0{arguments}", messages.len());
    for message in messages.iter() {
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
