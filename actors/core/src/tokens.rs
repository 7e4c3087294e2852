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

/// Texts above this many bytes are reckoned from samples: counting ten megabytes takes seconds, in which
/// an actor would hold up a thread that others need.
const EXACT: usize = 256 * 1024;
/// Samples of such a text, of [`PIECE`] bytes each.
const SAMPLES: usize = 64;

/// Tokens of a text.
pub fn count(text: &str) -> usize {
    if text.len() > EXACT {
        return reckon(text);
    }
    pieces(text, PIECE).map(|piece| tokenizer().encode_ordinary(piece).len()).sum()
}

/// The tokens of evenly spread samples, scaled up, and a twentieth more to err on the safe side.
fn reckon(text: &str) -> usize {
    let (mut bytes, mut tokens) = (0, 0);
    for part in pieces(text, text.len().div_ceil(SAMPLES)) {
        let Some(sample) = pieces(part, PIECE).next() else { continue };
        bytes += sample.len();
        tokens += tokenizer().encode_ordinary(sample).len();
    }
    let scaled = tokens as f64 * text.len() as f64 / bytes.max(1) as f64;
    (scaled * 1.05) as usize
}

/// A text in pieces of at most `size` bytes, none of which cuts a character.
fn pieces(text: &str, size: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut cut = rest.len().min(size);
        while !rest.is_char_boundary(cut) {
            cut -= 1;
        }
        let (piece, tail) = rest.split_at(cut);
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
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

    #[test]
    fn a_very_long_text_is_reckoned_and_not_too_low() {
        let sentence = "The keeper of the records wrote it down for later, number 12345. ";
        // Half of it is short enough to be counted.
        let exact = count(&sentence.repeat(3_000)) * 2;
        let reckoned = count(&sentence.repeat(6_000));
        assert!((exact..exact * 12 / 10).contains(&reckoned), "{reckoned} for {exact}");
    }
}
