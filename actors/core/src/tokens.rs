//! Counting tokens.
//!
//! Every count is a count of text by `cl100k_base`. Newer vocabularies need a few tokens less for the
//! same text (so we err on the safe side) and twice the memory; other vendors' differ by some per
//! cent, which is what the reserve in [`crate::compact`] is for.

use std::sync::OnceLock;

use engram_domain::{Content, Part, message::Reasoning};
use tiktoken_rs::CoreBPE;

/// Tokens around a message besides its text: role, separators.
pub const PER_MESSAGE: usize = 4;
/// Tokens that an image is reckoned with: one at high detail costs between 85 and about 1,100.
const PER_IMAGE: usize = 1_000;
/// Longer texts are counted by pieces: the merge loop of the tokenizer is quadratic in the length of
/// a single run of letters, which a hostile text could be made of.
const PIECE: usize = 2_000;

/// Tokens of a text.
pub fn count(text: &str) -> usize {
    let bpe = tokenizer();
    if text.len() <= PIECE {
        return bpe.encode_ordinary(text).len();
    }
    let mut total = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let mut cut = rest.len().min(PIECE);
        while !rest.is_char_boundary(cut) {
            cut -= 1;
        }
        let (piece, tail) = rest.split_at(cut);
        total += bpe.encode_ordinary(piece).len();
        rest = tail;
    }
    total
}

/// Loads the tokenizer, which takes a few tenths of a second the first time, so that no request
/// waits for it.
pub fn warm_up() {
    tokenizer();
}

fn tokenizer() -> &'static CoreBPE {
    static BPE: OnceLock<&'static CoreBPE> = OnceLock::new();
    BPE.get_or_init(tiktoken_rs::cl100k_base_singleton)
}

/// Tokens that a message takes in a prompt.
pub fn message(content: &Content) -> i32 {
    let n = match content {
        Content::Parts { parts } => parts
            .iter()
            .map(|p| match p {
                Part::Text { text } => count(text),
                Part::Image { .. } => PER_IMAGE,
            })
            .sum(),
        Content::Assistant { reasoning, text, calls } => {
            let thoughts: usize = reasoning
                .iter()
                .map(|r| match r {
                    Reasoning::Text { text, .. } => count(text),
                    Reasoning::Redacted { .. } => 0,
                })
                .sum();
            let calls: usize = calls.iter().map(|c| count(&c.name) + count(&c.arguments) + 8).sum();
            thoughts + calls + text.as_deref().map_or(0, count)
        }
        // The package around a result, see `crate::package`, takes about thirty tokens.
        Content::ToolReturn(r) => count(&r.text) + 30,
        Content::Decisions { .. } => 0,
        Content::Summary { text, .. } => count(text) + 60,
    };
    i32::try_from(n + PER_MESSAGE).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_words_and_survives_a_hostile_text() {
        assert_eq!(count(""), 0);
        assert_eq!(count("hello world"), 2);
        assert!(count(&"ä".repeat(100_000)) > 1_000);
    }
}
