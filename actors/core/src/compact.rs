//! Compaction: what leaves the context when it outgrows the window, and what stands for it.
//!
//! Decided before every request, by counted tokens, so an agent that is over its window for any
//! reason recovers with its next request. A cut never separates a call from its result. When the
//! summarizer fails, the messages leave all the same: recall memory still has them.

use std::{fmt::Write as _, sync::Arc};

use engram_domain::{CompactionSettings, Content, LlmConfig, Message, Role, message::Reasoning};

use crate::{package, tokens};

/// Characters of one message that the summarizer is shown.
const TRANSCRIPT_MESSAGE_CHARS: usize = 4_000;
/// Bytes that the messages in context may have: pictures are many bytes and few tokens, and every live agent holds what is
/// in its context.
pub const MOST_BYTES: usize = 32 * 1024 * 1024;
/// A window below this is taken for a mistake in a provider's model list.
const SMALLEST_WINDOW: usize = 512;

/// Tokens that a prompt to the model may have: the window less room for the answer and for the
/// difference between our tokenizer and the model's.
pub fn limit(config: &LlmConfig) -> usize {
    let window = usize::try_from(config.context_window).unwrap_or(0).max(SMALLEST_WINDOW);
    let answer = config.max_tokens.and_then(|t| usize::try_from(t).ok()).unwrap_or(window / 8).min(window / 4);
    window - answer.max(window / 10)
}

/// Tokens of messages together.
pub fn total(messages: &[Arc<Message>]) -> usize {
    messages.iter().map(|m| size(m)).sum()
}

/// Tokens of a message.
pub fn size(message: &Message) -> usize {
    usize::try_from(message.tokens).unwrap_or(0)
}

/// How many of the oldest `messages` leave so that the rest has at most `target` tokens. None when
/// nothing can leave: the last call with its results, or the last message, always stays.
pub fn cut(messages: &[Arc<Message>], target: usize) -> Option<usize> {
    cut_by(messages, target, size)
}

/// As [`cut`], so that the rest has at most `target` bytes.
pub fn cut_bytes(messages: &[Arc<Message>], target: usize) -> Option<usize> {
    cut_by(messages, target, Message::bytes)
}

fn cut_by(messages: &[Arc<Message>], target: usize, size: impl Fn(&Message) -> usize) -> Option<usize> {
    let last = (0..messages.len()).rev().find(|i| may_begin(&messages[*i]))?;
    let mut rest: usize = messages.iter().map(|m| size(m)).sum();
    let mut first_fit = None;
    for (i, message) in messages.iter().enumerate().take(last + 1) {
        if i > 0 && may_begin(message) && rest <= target {
            if is_somebodys_words(message) {
                return Some(i);
            }
            // A context that begins with a person's words reads better; any legal cut is correct.
            first_fit = first_fit.or(Some(i));
        }
        rest = rest.saturating_sub(size(message));
    }
    first_fit.or(Some(last)).filter(|i| *i > 0)
}

/// As [`cut`], keeping at least the last `keep` messages and as few more as possible.
pub fn cut_keeping(messages: &[Arc<Message>], keep: usize) -> Option<usize> {
    let from = messages.len().saturating_sub(keep.max(1));
    (1..=from).rev().find(|i| messages.get(*i).is_some_and(|m| may_begin(m)))
}

/// How many of the oldest leave when there are more than `most`: at least `least` stay, and as few more as lets the
/// context begin with a person's words, or where that is not to be had with a legal cut.
pub fn cut_to_buffer(messages: &[Arc<Message>], most: usize, least: usize) -> Option<usize> {
    let too_many = messages.len().checked_sub(most).filter(|n| *n > 0)?;
    let from = messages.len().saturating_sub(least.max(1));
    (too_many..=from)
        .rev()
        .find(|i| messages.get(*i).is_some_and(|m| is_somebodys_words(m)))
        .or_else(|| cut_keeping(messages, least))
}

/// Whether all messages may leave: not while a call of theirs has no result.
pub fn may_all_leave(messages: &[Arc<Message>]) -> bool {
    let Some(last) = messages.iter().rposition(|m| !m.content.calls().is_empty()) else { return true };
    let has_result = |id: &str| {
        messages[last..].iter().any(|m| matches!(&m.content, Content::ToolReturn(r) if r.tool_call_id == id))
    };
    messages[last].content.calls().iter().all(|call| has_result(&call.id))
}

/// Whether a context may begin here: not between a call and its result.
pub fn may_begin(message: &Message) -> bool {
    !matches!(message.content, Content::ToolReturn(_) | Content::Decisions { .. })
}

fn is_somebodys_words(message: &Message) -> bool {
    match (&message.role, &message.content) {
        (Role::User, Content::Parts { parts }) => !package::is_hidden(&engram_domain::message::parts_text(parts)),
        _ => false,
    }
}

/// What the summarizer is shown: one line a message, an earlier summary first, clipped from the
/// front to `max_tokens`.
pub fn transcript(earlier: Option<&str>, messages: &[Arc<Message>], max_tokens: usize) -> String {
    let mut lines = Vec::new();
    let mut used = 0;
    for message in messages.iter().rev() {
        let line = transcript_line(message);
        if line.is_empty() {
            continue;
        }
        used += tokens::count(&line) + 1;
        if used > max_tokens {
            break;
        }
        lines.push(line);
    }
    if let Some(earlier) = earlier {
        let line = format!("Summary of what came before: {}", clip(earlier, TRANSCRIPT_MESSAGE_CHARS * 2));
        if used + tokens::count(&line) <= max_tokens {
            lines.push(line);
        }
    }
    lines.reverse();
    lines.join("\n")
}

fn transcript_line(message: &Message) -> String {
    let mut line = String::new();
    match &message.content {
        Content::Parts { parts } => {
            let text = engram_domain::message::parts_text(parts);
            if !package::is_hidden(&text) {
                line = format!("{}: {text}", message.role.as_str());
            }
        }
        Content::Assistant { reasoning, text, calls } => {
            if let Some(text) = text {
                line = format!("assistant: {text}");
            } else if let Some(Reasoning::Text { text, .. }) = reasoning.first() {
                line = format!("assistant (thinking): {text}");
            }
            for call in calls {
                let separator = if line.is_empty() { "" } else { "\n" };
                // Writing to a string cannot fail.
                let _ = write!(line, "{separator}assistant: Calling tool {} with {}", call.name, call.arguments);
            }
        }
        Content::ToolReturn(r) => line = format!("assistant: Tool call returned {}", r.text),
        Content::Decisions { .. } => {}
        Content::Summary { text, .. } => line = format!("Summary of what came before: {text}"),
    }
    clip(&line, TRANSCRIPT_MESSAGE_CHARS)
}

/// The text of the message that stands for `hidden` messages.
pub fn notice(hidden: usize, summary: Option<&str>, settings: Option<&CompactionSettings>, window: usize) -> String {
    match summary.map(str::trim).filter(|s| !s.is_empty()) {
        Some(summary) => {
            let max_chars = settings
                .and_then(|s| s.clip_chars)
                .and_then(|c| usize::try_from(c).ok())
                .unwrap_or(50_000)
                // A summary that fills the window would be compacted at once. About 3 characters a
                // token at least, so this is a tenth of the window at most.
                .min(window * 3 / 10);
            format!(
                "Note: {hidden} messages from the beginning of the conversation have been hidden from view due to \
                 memory constraints.\nThe following is a summary of the previous messages:\n {}",
                clip(summary, max_chars)
            )
        }
        None => format!(
            "Note: {hidden} prior messages with the user have been hidden from view due to conversation memory \
             constraints. Older messages are stored in Recall Memory and can be viewed using functions."
        ),
    }
}

/// The first `max` characters, and a note of how many are missing.
pub fn clip(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let len = text.chars().count();
    if len <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max).collect();
    format!("{kept} [… {} characters left out]", len - max)
}

/// The beginning of a text that has at most `max` tokens, and a note of how much is missing.
pub fn clip_tokens(text: &str, max: usize) -> String {
    let mut chars = max * 4;
    loop {
        let clipped = clip(text, chars);
        if chars == 0 || tokens::count(&clipped) <= max {
            return clipped;
        }
        chars = chars * 3 / 4;
    }
}

#[cfg(test)]
mod tests {
    use engram_domain::MessageId;
    use engram_testkit::{call, calls, returned, says};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn message(seq: i64, role: Role, content: Content) -> Arc<Message> {
        let id = MessageId(Uuid::from_u128(seq as u128));
        Arc::new(Message { id, seq, tokens: 10, ..engram_testkit::message(role, content) })
    }

    /// `u` user, `a` assistant with text, `c` call followed by its results (one a digit).
    fn conversation(shape: &str) -> Vec<Arc<Message>> {
        let mut out = Vec::new();
        for c in shape.chars() {
            let seq = out.len() as i64;
            match c {
                'u' => out.push(message(seq, Role::User, Content::text("hello"))),
                'a' => out.push(message(seq, Role::Assistant, says("hi"))),
                'c' => out.push(message(seq, Role::Assistant, calls([call("1", "t", "{}")]))),
                _ => out.push(message(seq, Role::Tool, Content::ToolReturn(returned("1", "t", "ok")))),
            }
        }
        out
    }

    #[test]
    fn a_cut_prefers_a_persons_words_and_keeps_the_last_message() {
        let m = conversation("uauauaua");
        assert_eq!(cut(&m, 40), Some(4));
        assert_eq!(cut(&m, 30), Some(6));
        assert_eq!(cut(&m, 0), Some(7));
        assert_eq!(cut(&conversation("u"), 0), None);
        assert_eq!(cut(&conversation("c1"), 0), None);
    }

    #[test]
    fn a_buffer_begins_with_a_persons_words_where_it_can() {
        let m = conversation("uc1uc1uc1");
        assert_eq!(cut_to_buffer(&m, 9, 4), None, "it is not full");
        assert_eq!(cut_to_buffer(&m, 8, 4), Some(3));
        assert_eq!(cut_to_buffer(&m, 8, 3), Some(6));
        assert_eq!(cut_to_buffer(&m, 5, 4), Some(4), "the words are too far away");
    }

    proptest! {
        #[test]
        fn a_cut_never_parts_a_call_from_its_result(shape in "(u|a|c1|c12){0,30}", target in 0usize..300) {
            let m = conversation(&shape);
            if let Some(i) = cut(&m, target) {
                prop_assert!(i > 0 && i < m.len());
                prop_assert!(m[i].role != Role::Tool);
            }
            if let Some(i) = cut_keeping(&m, target / 10) {
                prop_assert!(i > 0 && i < m.len());
                prop_assert!(m[i].role != Role::Tool);
            }
        }

        #[test]
        fn a_buffer_keeps_what_it_must_and_parts_nothing(
            shape in "(u|a|c1|c12){0,30}", least in 1usize..12, more in 1usize..12
        ) {
            let (m, most) = (conversation(&shape), least + more);
            match cut_to_buffer(&m, most, least) {
                Some(i) => {
                    prop_assert!(m.len() > most && i > 0 && m.len() - i >= least);
                    prop_assert!(m[i].role != Role::Tool);
                    // At most the results of one call are over.
                    prop_assert!(m.len() - i <= (least + 2).max(most));
                }
                None => prop_assert!(m.len() <= most || m.len() <= least + 2, "{} {most} {least}", m.len()),
            }
        }

        #[test]
        fn a_clipped_text_has_at_most_the_tokens_asked_for(text in "[a-zäöü ]{0,4000}", max in 20usize..400) {
            prop_assert!(tokens::count(&clip_tokens(&text, max)) <= max.max(20));
        }
    }
}
