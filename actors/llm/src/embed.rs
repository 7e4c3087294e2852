//! `engram/embed`: an embedder without a model.
//!
//! A text becomes a vector of hashed words and letter triples: texts that share words, or parts of
//! words, lie close to each other; meaning beyond that is not known to it. It needs no network and
//! gives the same vector on every machine and in every version: stored vectors depend on it, so a
//! change of anything here is a new model with a new handle.

use std::collections::HashMap;

/// Its handle.
pub const EMBED_HANDLE: &str = "engram/embed";
/// Numbers in one of its vectors.
pub const EMBED_DIM: usize = 384;

/// How much the triples of a word weigh together, against 1 for the word itself: enough to find
/// `planets` by `planet`, too little to take `station` for `nation`.
const TRIPLES: f32 = 0.6;
/// What a word weighs that stands in every other sentence.
const COMMON: f32 = 0.1;
const COMMON_WORDS: [&str; 56] = [
    "a", "about", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "did", "do", "does", "for", "from",
    "had", "has", "have", "he", "her", "his", "how", "i", "if", "in", "is", "it", "its", "me", "my", "not", "of", "on",
    "or", "our", "she", "so", "that", "the", "their", "they", "this", "to", "was", "we", "were", "what", "when",
    "which", "who", "will", "with", "you", "your",
];

/// A unit vector of [`EMBED_DIM`] numbers.
pub(crate) fn embed(text: &str) -> Vec<f32> {
    let lower = text.to_lowercase();
    let mut counts: HashMap<&str, u32> = HashMap::new();
    // In order of appearance, so that sums of floats come out the same every time.
    let mut order = Vec::new();
    for word in words(&lower) {
        let count = counts.entry(word).or_default();
        if *count == 0 {
            order.push(word);
        }
        *count += 1;
    }
    let mut vector = vec![0.0; EMBED_DIM];
    for word in order {
        // The tenth time says less than the first.
        let often = 1.0 + (counts[word] as f32).ln();
        let weight = if COMMON_WORDS.binary_search(&word).is_ok() { COMMON } else { 1.0 } * often;
        add(&mut vector, b"w", word, weight);
        let framed: Vec<char> = std::iter::once(' ').chain(word.chars()).chain(std::iter::once(' ')).collect();
        let triples = framed.windows(3);
        let each = weight * (TRIPLES / triples.len().max(1) as f32).sqrt();
        for triple in triples {
            add(&mut vector, b"t", &triple.iter().collect::<String>(), each);
        }
    }
    normalize(&mut vector);
    vector
}

/// Scales to length 1. What has no direction gets one: every text must be storable and comparable.
pub(crate) fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length.is_finite() && length > 0.0 {
        for x in vector {
            *x /= length;
        }
    } else if let Some((first, rest)) = vector.split_first_mut() {
        *first = 1.0;
        rest.fill(0.0);
    }
}

/// Words of letters and digits. Scripts that write without spaces give pairs of neighbours instead.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).flat_map(|word| {
        let spaceless =
            word.chars().any(|c| ('\u{2E80}'..'\u{A000}').contains(&c) || ('\u{E00}'..'\u{E80}').contains(&c));
        let starts: Vec<usize> = word.char_indices().map(|(i, _)| i).chain([word.len()]).collect();
        if spaceless && starts.len() > 2 {
            starts.windows(3).map(|w| &word[w[0]..w[2]]).collect::<Vec<_>>()
        } else {
            vec![word]
        }
    })
}

fn add(vector: &mut [f32], kind: &[u8], feature: &str, weight: f32) {
    let hash = hash(&[kind, feature.as_bytes()].concat());
    let sign = if hash >> 63 == 0 { weight } else { -weight };
    vector[(hash % EMBED_DIM as u64) as usize] += sign;
}

/// FNV-1a with a finishing stir. Fixed for ever, unlike the standard library's hash.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut hash =
        bytes.iter().fold(0xCBF2_9CE4_8422_2325, |h: u64, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01B3));
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: &str, b: &str) -> f32 {
        embed(a).iter().zip(embed(b)).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn the_list_of_common_words_can_be_searched() {
        assert!(COMMON_WORDS.is_sorted());
    }

    #[test]
    fn vectors_are_units_of_the_promised_length_whatever_the_text() {
        for text in ["", " \n", "the", "🦀🦀", "你好世界", &"x".repeat(100_000), "\u{0}\u{FFFF}"] {
            let vector = embed(text);
            assert_eq!(vector.len(), EMBED_DIM);
            let length: f32 = vector.iter().map(|x| x * x).sum();
            assert!((length - 1.0).abs() < 1e-4, "{text:?} has length {length}");
        }
    }

    #[test]
    fn vectors_never_change() {
        let vector = embed("The blue heron nests in March.");
        let sum: f32 = vector.iter().enumerate().map(|(i, x)| x * (i as f32 + 1.0)).sum();
        insta::assert_snapshot!(format!("{sum:.4}"), @"207.9832");
    }

    #[test]
    fn words_of_a_passage_find_it_among_many() {
        let wanted = "My grandmother kept a blue heron as a pet in her garden in Lisbon, and it only ate sardines.";
        let subjects =
            ["engine", "harvest", "library", "violin", "mountain", "invoice", "kitchen", "orchard", "tunnel"];
        let verbs = ["measured", "forgot", "painted", "delivered", "questioned", "repaired", "counted", "borrowed"];
        let objects = ["ladders", "contracts", "puzzles", "bicycles", "recipes", "lanterns", "passports"];
        let mut others = Vec::new();
        for s in subjects {
            for v in verbs {
                for o in objects {
                    others.push(format!(
                        "Yesterday the {s} {v} several {o} because nobody at the {s} had seen the {o} before."
                    ));
                }
            }
        }
        for query in ["blue heron", "What did grandmother keep in her garden?", "Lisbon", "sardines in gardens"] {
            let best = others.iter().map(|o| near(query, o)).fold(f32::MIN, f32::max);
            assert!(near(query, wanted) > best, "'{query}': {} against {best}", near(query, wanted));
        }
        assert!(near("お婆さんの庭", "青い鳥がお婆さんの庭にいた") > near("お婆さんの庭", "昨日は会議で遅くなった"));
    }
}
