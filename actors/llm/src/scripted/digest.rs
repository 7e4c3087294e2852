//! A summary that is the same every time.

use engram_core::{chain::Chain, ports::llm::ChatMessage};
use engram_domain::message::parts_text;

use super::conversation::by_user;

/// Characters of each thing the user said.
const EACH: usize = 100;
/// Characters in all.
const ALL: usize = 1_500;
/// What begins a line of a transcript.
const SPEAKERS: [&str; 6] = ["user:", "assistant:", "tool:", "system:", "summary:", "approval:"];

/// `Summary of N messages: ` and the beginnings of what the user said, out of a transcript or out of
/// the messages themselves.
pub(super) fn digest(messages: &Chain<ChatMessage>) -> String {
    let texts = messages.iter().filter_map(|m| match m {
        ChatMessage::User { parts, .. } => by_user(&parts_text(parts)),
        _ => None,
    });
    let texts: Vec<String> = texts.collect();
    let spoken: Vec<(&str, &str)> = texts.iter().flat_map(|t| t.lines()).filter_map(speaker).collect();
    let (count, said): (usize, Vec<&str>) = if spoken.is_empty() {
        let count = messages.iter().filter(|m| !matches!(m, ChatMessage::System(_))).count();
        (count, texts.iter().map(String::as_str).collect())
    } else {
        (spoken.len(), spoken.iter().filter(|(who, _)| *who == "user:").map(|(_, what)| *what).collect())
    };
    let mut out = format!("Summary of {count} messages:");
    for what in said {
        let words: String = what.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(EACH).collect();
        if words.is_empty() {
            continue;
        }
        out.push_str(if out.ends_with(':') { " " } else { " / " });
        out.push_str(&words);
        if out.chars().count() >= ALL {
            return out.chars().take(ALL).collect();
        }
    }
    out
}

/// Who speaks in a line of a transcript, and what.
fn speaker(line: &str) -> Option<(&'static str, &str)> {
    let line = line.trim_start();
    SPEAKERS.into_iter().find_map(|who| {
        let start = line.get(..who.len())?;
        start.eq_ignore_ascii_case(who).then(|| (who, line[who.len()..].trim()))
    })
}
