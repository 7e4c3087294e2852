//! Cutting texts into passages, embedding them, and searching by vector.

use std::{cmp::Ordering, ops::RangeInclusive};

use engram_core::{ports::EmbedError, tokens};
use engram_domain::{Archive, ArchiveId, EmbeddingConfig, Json, Passage};
use engram_store::passages::PassageFilter;

use crate::app::{App, Error, Result, cpu, limits};

/// Tokens of one passage that a caller may ask for.
pub const CHUNK_SIZES: RangeInclusive<i32> = 16..=32_768;
/// Bytes for each token of a passage up to which a text is counted at once. What is longer is cut first, so that nothing is
/// counted again and again while a passage is cut off its beginning.
const WINDOW: usize = 8;

/// Cuts a text into pieces of at most `max` tokens, between words where it can. Nothing is lost but white space at the
/// cuts. None when they would be more than `most`.
pub fn chunks(text: &str, max: i32, most: usize) -> Option<Vec<String>> {
    chunks_by(text, max, most, tokens::count)
}

/// As [`chunks`], on a thread of its own where that takes time. `path` is the text's place in the input.
pub async fn cut(path: &[&str], text: String, max: i32, most: usize) -> Result<Vec<String>> {
    let pieces = cpu::run_if(text.len(), move || chunks(&text, max, most)).await?;
    pieces.ok_or_else(|| {
        let expected = format!("expected a text of at most {most} passages of {max} tokens each");
        Error::invalid(path, expected, Json::Null)
    })
}

/// How many passages of these vectors one request may store.
pub fn most_passages(config: &EmbeddingConfig) -> usize {
    let numbers = usize::try_from(config.embedding_dim).unwrap_or(1).max(1);
    (limits::VECTOR_NUMBERS / numbers).clamp(1, limits::PASSAGES)
}

fn chunks_by(text: &str, max: i32, most: usize, mut count: impl FnMut(&str) -> usize) -> Option<Vec<String>> {
    let max = usize::try_from(max).unwrap_or(1).max(1);
    let window = max.saturating_mul(WINDOW);
    if text.len() <= window && count(text) <= max {
        return Some(vec![text.to_owned()]);
    }
    let mut out = Vec::new();
    let mut piece = String::new();
    let mut size = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        if out.len() > most {
            return None;
        }
        let mut rest = word;
        while !rest.is_empty() {
            if rest.len() <= window {
                let n = count(rest);
                if n <= max {
                    if size + n > max {
                        flush(&mut out, &mut piece);
                        size = 0;
                    }
                    piece.push_str(rest);
                    size += n;
                    break;
                }
            }
            flush(&mut out, &mut piece);
            size = 0;
            // One word longer than a passage.
            let head = beginning(rest, max, &mut count);
            out.push(head.to_owned());
            if out.len() > most {
                return None;
            }
            rest = &rest[head.len()..];
        }
    }
    flush(&mut out, &mut piece);
    (out.len() <= most).then_some(out)
}

fn flush(out: &mut Vec<String>, piece: &mut String) {
    if !piece.trim().is_empty() {
        out.push(piece.trim().to_owned());
    }
    piece.clear();
}

/// The first `max` characters of a text, halved until they have at most `max` tokens, but one character at least.
fn beginning<'a>(text: &'a str, max: usize, count: &mut impl FnMut(&str) -> usize) -> &'a str {
    let first = text.chars().next().map_or(0, char::len_utf8);
    let mut end = text.char_indices().nth(max).map_or(text.len(), |(at, _)| at);
    while end > first && count(&text[..end]) > max {
        end = text.floor_char_boundary(end / 2).max(first);
    }
    &text[..end]
}

/// One vector a text.
pub async fn embed(app: &App, config: &EmbeddingConfig, texts: &[String]) -> Result<Vec<Vec<f32>>> {
    app.embedder.embed(config, texts).await.map_err(|error| match error {
        EmbedError::UnknownModel(_) | EmbedError::TooLong { .. } => Error::Rejected(error.to_string()),
        EmbedError::Provider(_) | EmbedError::Dimensions { .. } => Error::Provider(error.to_string()),
    })
}

/// The passages closest to a query over several archives, best first. Archives with the same model
/// are searched together; similarities of different models are compared as they are.
pub async fn nearest(
    app: &App,
    archives: &[Archive],
    filter: &PassageFilter,
    query: &str,
    limit: i64,
) -> Result<Vec<(Passage, f64)>> {
    let mut groups: Vec<(&EmbeddingConfig, Vec<ArchiveId>)> = Vec::new();
    for archive in archives {
        let same = |c: &EmbeddingConfig| {
            c.handle() == archive.embedding.handle() && c.embedding_dim == archive.embedding.embedding_dim
        };
        match groups.iter_mut().find(|(config, _)| same(config)) {
            Some((_, ids)) => ids.push(archive.id),
            None => groups.push((&archive.embedding, vec![archive.id])),
        }
    }
    let mut found = Vec::new();
    for (config, ids) in groups {
        let vectors = embed(app, config, &[query.to_owned()]).await?;
        let Some(vector) = vectors.first() else { continue };
        let filter = PassageFilter { archives: Some(ids), ..filter.clone() };
        found.extend(app.store.nearest_passages(&filter, vector, limit).await?);
    }
    found.sort_by(|a, b| b.1.partial_cmp(&a.1).unwrap_or(Ordering::Equal));
    found.truncate(usize::try_from(limit).unwrap_or(0));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, max: i32) -> Vec<String> {
        chunks(text, max, 1_000).expect("not too many")
    }

    /// Bytes that are counted for a text, and the pieces.
    fn counted(text: &str, max: i32) -> (usize, Vec<String>) {
        let mut bytes = 0;
        let pieces = chunks_by(text, max, usize::MAX, |text| {
            bytes += text.len();
            text.len().div_ceil(2)
        });
        (bytes, pieces.expect("not too many"))
    }

    #[test]
    fn what_is_counted_grows_with_the_text_and_not_with_its_square() {
        for text in ["x".repeat(1_000_000), "🦀".repeat(250_000), "x ".repeat(500_000), "x".repeat(999) + " "] {
            for max in [16, 300, 32_768] {
                let (bytes, pieces) = counted(&text, max);
                assert!(bytes <= text.len() * 2 * (WINDOW + 1), "{bytes} bytes counted for {}", text.len());
                assert!(pieces.iter().all(|p| p.len() <= 2 * max as usize));
                let spoken = |t: &str| t.chars().filter(|c| !c.is_whitespace()).count();
                assert_eq!(spoken(&pieces.concat()), spoken(&text));
            }
        }
    }

    #[test]
    fn too_many_pieces_are_noticed_early() {
        let mut calls = 0;
        let text = "x".repeat(10_000_000);
        let pieces = chunks_by(&text, 16, 1_000, |text| {
            calls += 1;
            text.len()
        });
        assert_eq!(pieces, None);
        assert!(calls < 20_000, "{calls}");
        assert_eq!(chunks(&"word ".repeat(17), 16, 1), None);
    }

    #[test]
    fn a_request_may_store_as_many_vectors_as_an_answer_can_hold() {
        let of = |embedding_dim| most_passages(&EmbeddingConfig { embedding_dim, ..EmbeddingConfig::default() });
        assert_eq!([of(1), of(384), of(1_536), of(4_096), of(16_000)], [1_000, 1_000, 1_000, 488, 125]);
    }

    #[test]
    fn a_short_text_stays_whole() {
        assert_eq!(cut(" the sky is blue ", 300), [" the sky is blue "]);
        assert_eq!(cut("", 300), [""]);
    }

    #[test]
    fn a_long_text_is_cut_between_words_and_nothing_is_lost() {
        let text = (0..200).map(|n| format!("word{n}")).collect::<Vec<_>>().join(" ");
        let pieces = cut(&text, 50);
        assert!(pieces.len() > 5);
        assert!(pieces.iter().all(|p| tokens::count(p) <= 60 && p.starts_with("word")));
        assert_eq!(pieces.join(" "), text);
    }

    #[test]
    fn a_word_longer_than_a_passage_is_cut_too() {
        let text = "ä".repeat(5_000);
        let pieces = cut(&text, 100);
        assert!(pieces.len() > 1);
        assert_eq!(pieces.concat(), text);
    }
}
