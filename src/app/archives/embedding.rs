//! Cutting texts into passages, embedding them, and searching by vector.

use std::cmp::Ordering;

use engram_core::{ports::EmbedError, tokens};
use engram_domain::{Archive, ArchiveId, EmbeddingConfig, Passage};
use engram_store::passages::PassageFilter;

use crate::app::{App, Error, Result};

/// Cuts a text into pieces of at most `max` tokens, between words where it can. Nothing is lost but
/// white space at the cuts.
pub fn chunks(text: &str, max: i32) -> Vec<String> {
    let max = usize::try_from(max).unwrap_or(1).max(1);
    if tokens::count(text) <= max {
        return vec![text.to_owned()];
    }
    let mut out = Vec::new();
    let mut piece = String::new();
    let mut size = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let mut rest = word;
        while !rest.is_empty() {
            let n = tokens::count(rest);
            if size + n <= max {
                piece.push_str(rest);
                size += n;
                break;
            }
            if !piece.trim().is_empty() {
                out.push(piece.trim().to_owned());
            }
            piece.clear();
            size = 0;
            if n <= max {
                continue;
            }
            // One word longer than a passage: a character is at least a fraction of a token, so a
            // cut after `max` characters always fits or shrinks towards it.
            let at = rest.char_indices().nth(max).map_or(rest.len(), |(i, _)| i);
            let (head, tail) = rest.split_at(at);
            out.push(head.to_owned());
            rest = tail;
        }
    }
    if !piece.trim().is_empty() {
        out.push(piece.trim().to_owned());
    }
    out
}

/// One vector a text.
pub async fn embed(app: &App, config: &EmbeddingConfig, texts: &[String]) -> Result<Vec<Vec<f32>>> {
    app.embedder.embed(config, texts).await.map_err(|error| match error {
        EmbedError::UnknownModel(_) => Error::Rejected(error.to_string()),
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

    #[test]
    fn a_short_text_stays_whole() {
        assert_eq!(chunks(" the sky is blue ", 300), [" the sky is blue "]);
        assert_eq!(chunks("", 300), [""]);
    }

    #[test]
    fn a_long_text_is_cut_between_words_and_nothing_is_lost() {
        let text = (0..200).map(|n| format!("word{n}")).collect::<Vec<_>>().join(" ");
        let pieces = chunks(&text, 50);
        assert!(pieces.len() > 5);
        assert!(pieces.iter().all(|p| tokens::count(p) <= 60 && p.starts_with("word")));
        assert_eq!(pieces.join(" "), text);
    }

    #[test]
    fn a_word_longer_than_a_passage_is_cut_too() {
        let text = "ä".repeat(5_000);
        let pieces = chunks(&text, 100);
        assert!(pieces.len() > 1);
        assert_eq!(pieces.concat(), text);
    }
}
