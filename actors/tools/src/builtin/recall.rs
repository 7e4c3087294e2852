//! From a query to what the store looks for, and from a message to what the model is shown of it.

use chrono_tz::Tz;
use engram_core::{builtin, ports::MessageQuery};
use engram_domain::{Content, Json, JsonMap, Message, Time, ToolCall};
use serde_json::json;

use super::when;

/// Words of a query that are looked for; more only make it slower.
const MAX_WORDS: usize = 16;
/// Characters of a query that are looked at.
const MAX_QUERY: usize = 10_000;
/// Characters of one message that a result shows.
const EXCERPT: usize = 2_000;
/// Results when the call does not say.
const DEFAULT_LIMIT: i64 = 5;

/// English words that say nothing about what is looked for: models like to ask in whole questions.
const STOP_WORDS: &[&str] = &[
    "a", "about", "all", "an", "and", "any", "are", "as", "at", "be", "been", "by", "can", "could", "did", "do",
    "does", "for", "from", "had", "has", "have", "he", "her", "his", "how", "i", "if", "in", "is", "it", "its", "me",
    "my", "of", "on", "or", "our", "said", "say", "she", "so", "tell", "that", "the", "their", "them", "they", "this",
    "to", "told", "user", "was", "we", "were", "what", "when", "where", "which", "who", "why", "will", "with", "would",
    "you", "your",
];

/// The words of a query in lower case, without repeats and, if anything is left then, without those
/// that say nothing. Scripts that put no spaces between words are cut into pairs of characters.
pub(crate) fn words(query: &str) -> Vec<String> {
    let lower = query.chars().take(MAX_QUERY).collect::<String>().to_lowercase();
    let mut all: Vec<String> = vec![];
    for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        let chars: Vec<char> = word.chars().collect();
        if chars.len() > 2 && chars.iter().any(|c| is_unspaced(*c)) {
            all.extend(chars.windows(2).map(|pair| pair.iter().collect::<String>()));
        } else {
            all.push(word.to_owned());
        }
    }
    let telling = |w: &String| !STOP_WORDS.contains(&w.as_str()) && (w.len() > 1 || w.parse::<u8>().is_ok());
    if all.iter().any(telling) {
        all.retain(telling);
    }
    let mut seen = std::collections::HashSet::new();
    all.retain(|w| seen.insert(w.clone()));
    all.truncate(MAX_WORDS);
    all
}

/// Kana, Han, Hangul and Thai.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0e7f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

/// How many results: what the call says, between 1 and `max`.
pub(crate) fn limit(args: &JsonMap, name: &str, max: i64) -> i64 {
    integer(args, name).unwrap_or(DEFAULT_LIMIT).clamp(1, max)
}

/// How many results to skip: `start`, or whole pages from `page`, both counted from 0. Parameters of
/// the earlier server, no longer in the schema.
pub(crate) fn offset(args: &JsonMap, page_size: i64) -> i64 {
    let pages = || integer(args, "page").map(|page| page.saturating_mul(page_size));
    // A bound that no real list reaches, so that sums with it cannot overflow.
    integer(args, "start").or_else(pages).unwrap_or(0).clamp(0, 1_000_000)
}

fn integer(args: &JsonMap, name: &str) -> Option<i64> {
    match args.get(name)? {
        Json::Number(n) => n.as_i64(),
        Json::String(s) => s.trim().parse().ok(),
        _ => None,
    }
}

/// A message that was found, as the model is shown it.
pub(crate) fn shown(message: &Message, query: &MessageQuery, zone: Tz, now: Time) -> Json {
    json!({
        "timestamp": when::stamp(message.created_at, zone),
        "time_ago": when::ago(message.created_at, now),
        "role": message.role.as_str(),
        "content": excerpt(&shown_text(message), query),
    })
}

/// The words of a message: what was said, and other calls as `name(arguments)`.
fn shown_text(message: &Message) -> String {
    let Content::Assistant { text, calls, .. } = &message.content else {
        return message.content.plain_text();
    };
    text.iter().cloned().chain(calls.iter().map(spoken)).collect::<Vec<_>>().join("\n")
}

fn spoken(call: &ToolCall) -> String {
    builtin::spoken(&call.name, &call.arguments).unwrap_or_else(|| format!("{}({})", call.name, call.arguments))
}

/// The text, or the part of a long one around the first hit.
pub(crate) fn excerpt(text: &str, query: &MessageQuery) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= EXCERPT {
        return text.to_owned();
    }
    // Lower case of one character can be several, so the place is only near.
    let lower = text.to_lowercase();
    let mut wanted = query.phrase.iter().map(|p| p.to_lowercase()).chain(query.words.iter().cloned());
    let hit = wanted.find_map(|w| lower.find(&w)).map_or(0, |byte| lower[..byte].chars().count());
    let start = hit.saturating_sub(EXCERPT / 4).min(chars.len() - EXCERPT);
    let end = start + EXCERPT;
    let part: String = chars[start..end].iter().collect();
    format!("{}{part}{}", if start > 0 { "…" } else { "" }, if end < chars.len() { "…" } else { "" })
}
