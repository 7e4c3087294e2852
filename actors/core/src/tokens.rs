//! Counting tokens.
//!
//! Every count is a count of text by `cl100k_base`. Newer vocabularies need a few tokens less for the
//! same text (so we err on the safe side) and twice the memory; other vendors' differ by some per
//! cent, which is what the reserve in [`crate::compact`] is for.

use std::sync::OnceLock;

use engram_domain::{
    Content, Part,
    message::{Reasoning, vendor_bytes},
};
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

/// What a text costs besides its length, in bytes: the call of the tokenizer.
const PER_TEXT: usize = 16;

/// Tokens of a text.
pub fn count(text: &str) -> usize {
    count_all(std::iter::once(text))
}

/// Tokens of several texts together, each counted by itself. They share one bound on the work: a caller may send ten
/// megabytes as forty texts, or as a million.
pub fn count_all<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> usize {
    count_by(texts, |piece| tokenizer().encode_ordinary(piece).len())
}

fn count_by<'a>(texts: impl Iterator<Item = &'a str> + Clone, mut encode: impl FnMut(&str) -> usize) -> usize {
    let cost: usize = texts.clone().map(|text| text.len() + PER_TEXT).sum();
    if cost > EXACT {
        return reckon(texts, encode);
    }
    texts.flat_map(|text| pieces(text, PIECE)).map(&mut encode).sum()
}

/// The tokens of evenly spread samples, scaled up, and a twentieth more to err on the safe side.
fn reckon<'a>(texts: impl Iterator<Item = &'a str> + Clone, mut encode: impl FnMut(&str) -> usize) -> usize {
    let total: usize = texts.clone().map(str::len).sum();
    let step = total.div_ceil(SAMPLES).max(1);
    let (mut bytes, mut tokens) = (0, 0);
    // Bytes to pass over before the next sample.
    let mut skip = 0;
    for text in texts {
        let mut at = skip;
        while at < text.len() {
            let start = text.floor_char_boundary(at);
            let Some(sample) = pieces(&text[start..], PIECE).next() else { break };
            bytes += sample.len();
            tokens += encode(sample);
            at += step;
        }
        skip = at - text.len();
    }
    let scaled = tokens as f64 * total as f64 / bytes.max(1) as f64;
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
    whole(count_all(texts(content).into_iter()) + beside(content))
}

/// Tokens that each of several messages takes. They share one bound on the work, as in [`count_all`]: beyond it, each has its
/// share of what all of them have together, by its length.
pub fn messages<'a>(contents: impl Iterator<Item = &'a Content> + Clone) -> Vec<i32> {
    let lengths = contents.clone().map(|content| texts(content).iter().map(|text| text.len()).sum::<usize>());
    let bytes: usize = lengths.clone().sum();
    if bytes <= EXACT {
        return contents.map(message).collect();
    }
    let all: Vec<&str> = contents.clone().flat_map(texts).collect();
    let each = count_all(all.into_iter()) as f64 / bytes as f64;
    contents
        .zip(lengths)
        .map(|(content, bytes)| whole((bytes as f64 * each).ceil() as usize + beside(content)))
        .collect()
}

fn whole(tokens: usize) -> i32 {
    i32::try_from(tokens).unwrap_or(i32::MAX)
}

/// What of a message is text to the model.
fn texts(content: &Content) -> Vec<&str> {
    match content {
        Content::Parts { parts } => parts
            .iter()
            .filter_map(|p| match p {
                Part::Text { text } => Some(text.as_str()),
                Part::Image { .. } => None,
            })
            .collect(),
        Content::Assistant { reasoning, text, calls } => {
            let thoughts = reasoning.iter().filter_map(|r| match r {
                Reasoning::Text { text, .. } => Some(text.as_str()),
                Reasoning::Redacted { .. } | Reasoning::Vendor { .. } => None,
            });
            let written = calls.iter().flat_map(|c| [c.name.as_str(), &c.arguments]);
            thoughts.chain(written).chain(text.as_deref()).collect()
        }
        Content::ToolReturn(r) => vec![&r.text],
        Content::Decisions { .. } => vec![],
        Content::Summary { text, .. } => vec![text],
    }
}

/// Tokens of what goes back to a provider as it came: mostly random letters, of which a token has about three.
fn vendor(reasoning: &Reasoning) -> usize {
    let Reasoning::Vendor { message, calls, .. } = reasoning else { return 0 };
    vendor_bytes(message, calls) / 3
}

/// Tokens of a message besides its texts.
fn beside(content: &Content) -> usize {
    let more = match content {
        Content::Parts { parts } => parts.iter().filter(|p| matches!(p, Part::Image { .. })).count() * PER_IMAGE,
        Content::Assistant { calls, reasoning, .. } => calls.len() * 8 + reasoning.iter().map(vendor).sum::<usize>(),
        // The package around a result, see `crate::package`, takes about thirty tokens.
        Content::ToolReturn(_) => 30,
        Content::Decisions { .. } => 0,
        Content::Summary { .. } => 60,
    };
    more + PER_MESSAGE
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
    fn the_work_of_counting_is_bounded_however_a_text_is_divided() {
        let whole = "x".repeat(8 << 20);
        for size in [8 << 20, 200_000, 2_000, 7, 1] {
            let texts = whole.as_bytes().chunks(size).map(|chunk| std::str::from_utf8(chunk).unwrap());
            let (mut worked, mut calls) = (0, 0);
            let counted = count_by(texts, |piece| {
                (worked, calls) = (worked + piece.len(), calls + 1);
                piece.len()
            });
            assert!(worked <= EXACT && calls <= EXACT / PER_TEXT, "{size}: {worked} bytes in {calls} calls");
            // Every piece counts for its length here.
            assert!((whole.len()..whole.len() * 12 / 10).contains(&counted), "{size}: {counted}");
        }
    }

    #[test]
    fn many_messages_together_are_counted_like_one_long_text() {
        let sentence = "The keeper of the records wrote it down for later, number 12345. ";
        let few: Vec<Content> = (1..4).map(|n| Content::text(sentence.repeat(n))).collect();
        assert_eq!(messages(few.iter()), few.iter().map(message).collect::<Vec<_>>());
        let many: Vec<Content> = (0..100).map(|n| Content::text(sentence.repeat(50 + n))).collect();
        let (together, alone) = (messages(many.iter()), many.iter().map(message).collect::<Vec<_>>());
        assert_eq!(together.len(), 100);
        for (together, alone) in together.iter().zip(&alone) {
            assert!((*alone..=*alone * 12 / 10).contains(together), "{together} for {alone}");
        }
    }

    #[test]
    fn samples_do_not_cut_characters() {
        assert!(count(&"aä€🦀".repeat(50_000)) > 50_000);
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
