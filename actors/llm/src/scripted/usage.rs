//! Honest token counts, cheaply.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use engram_core::ports::{ChatRequest, llm::ChatMessage};
use engram_domain::Part;
use parking_lot::Mutex;

/// Counts that are remembered at most; about 1 MB.
const REMEMBERED: usize = 50_000;
/// Shorter texts are counted faster than they are looked up. In bytes.
const SHORT: usize = 64;
/// Tokens around a message, around the whole, and for an image, as OpenAI counts them.
const FRAME: usize = 3;
const IMAGE: usize = 85;

/// Counts tokens. Each step of an agent sends the same long texts again, so counts are remembered by
/// a hash of the text.
pub(super) struct Meter {
    count: fn(&str) -> usize,
    seen: Mutex<HashMap<u64, usize>>,
}

impl Meter {
    pub(super) fn new(count: fn(&str) -> usize) -> Self {
        Self { count, seen: Mutex::default() }
    }

    /// Tokens of a text.
    pub(super) fn text(&self, text: &str) -> i64 {
        self.tokens(text) as i64
    }

    /// Tokens of a request: every text, the frames, the tools.
    pub(super) fn prompt(&self, request: &ChatRequest) -> i64 {
        let messages: usize = request.messages.iter().map(|m| FRAME + self.message(m)).sum();
        let tools = request
            .tools
            .iter()
            .map(|t| self.tokens(&t.name) + self.tokens(&t.description) + self.tokens(&t.parameters.to_string()));
        (FRAME + messages + tools.sum::<usize>()) as i64
    }

    fn message(&self, message: &ChatMessage) -> usize {
        match message {
            ChatMessage::System(text) | ChatMessage::Tool { text, .. } => self.tokens(text),
            ChatMessage::User { parts, name } => {
                let name = name.as_deref().map_or(0, |n| 1 + self.tokens(n));
                name + parts
                    .iter()
                    .map(|part| match part {
                        Part::Text { text } => self.tokens(text),
                        Part::Image { .. } => IMAGE,
                    })
                    .sum::<usize>()
            }
            ChatMessage::Assistant { text, calls, .. } => {
                let calls = calls.iter().map(|c| FRAME + self.tokens(&c.name) + self.tokens(&c.arguments));
                text.as_deref().map_or(0, |t| self.tokens(t)) + calls.sum::<usize>()
            }
        }
    }

    fn tokens(&self, text: &str) -> usize {
        if text.len() < SHORT {
            return (self.count)(text);
        }
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let key = hasher.finish();
        if let Some(tokens) = self.seen.lock().get(&key) {
            return *tokens;
        }
        // Not under the lock: a long text takes its time, and to count it twice is harmless.
        let tokens = (self.count)(text);
        let mut seen = self.seen.lock();
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.insert(key, tokens);
        tokens
    }
}
