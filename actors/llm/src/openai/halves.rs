//! Halves of characters.
//!
//! A character outside the basic plane (an emoji) is two UTF-16 units, and a server that cuts its text between them
//! writes each as an escape of its own (`\ud83d`, `\ude00`), alone or in two pieces of an answer. That is no JSON.
//! [`mark`] puts a private character in the place of each lone half, so that the text can be read; [`Joiner`] makes
//! one character of two halves that follow each other, and U+FFFD of a half that stays alone.

use std::borrow::Cow;

/// The marks: as many characters at the end of the last private plane as there are halves.
const MARKS: u32 = 0x10_F800;

/// JSON text with a mark for each half that stands alone. Borrowed where there is none.
pub(super) fn mark(json: &str) -> Cow<'_, str> {
    replace(json, |half| char::from_u32(MARKS + u32::from(half) - 0xD800).unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// JSON text with U+FFFD for each half that stands alone.
pub(super) fn mend(json: &str) -> Cow<'_, str> {
    replace(json, |_| char::REPLACEMENT_CHARACTER)
}

fn replace(json: &str, put: impl Fn(u16) -> char) -> Cow<'_, str> {
    if !json.contains("\\ud") && !json.contains("\\uD") {
        return Cow::Borrowed(json);
    }
    let (mut out, mut kept, mut at) = (String::new(), 0, 0);
    while let Some(found) = from(json, at).iter().position(|b| *b == b'\\') {
        at += found;
        match unit(from(json, at)) {
            Some(0xD800..=0xDBFF) if matches!(unit(from(json, at + 6)), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(half @ 0xD800..=0xDFFF) => {
                out.push_str(&json[kept..at]);
                out.push(put(half));
                at += 6;
                kept = at;
            }
            Some(_) => at += 6,
            None => at += 2,
        }
    }
    if kept == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(&json[kept..]);
    Cow::Owned(out)
}

fn from(json: &str, at: usize) -> &[u8] {
    json.as_bytes().get(at..).unwrap_or_default()
}

/// The unit that an escape `\uXXXX` at the beginning stands for.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | u16::try_from(char::from(*digit).to_digit(16)?).ok()?))
}

/// Puts the halves of one text together, piece after piece.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// A first half that waits for its second one.
    high: Option<u16>,
}

impl Joiner {
    /// A piece without marks. A first half at its end waits for the next piece.
    pub(super) fn join(&mut self, piece: String) -> String {
        if self.high.is_none() && !piece.chars().any(|c| half(c).is_some()) {
            return piece;
        }
        let mut out = String::with_capacity(piece.len());
        for c in piece.chars() {
            let before = self.high.take();
            match (before, half(c)) {
                (Some(high), Some(low @ 0xDC00..)) => out.extend(char::decode_utf16([high, low]).flatten()),
                (before, now) => {
                    out.extend(before.map(|_| char::REPLACEMENT_CHARACTER));
                    match now {
                        Some(high @ ..0xDC00) => self.high = Some(high),
                        Some(_) => out.push(char::REPLACEMENT_CHARACTER),
                        None => out.push(c),
                    }
                }
            }
        }
        out
    }

    /// What a half that still waits becomes at the end.
    pub(super) fn rest(&mut self) -> Option<char> {
        self.high.take().map(|_| char::REPLACEMENT_CHARACTER)
    }
}

/// The half that a mark stands for.
fn half(c: char) -> Option<u16> {
    u16::try_from(u32::from(c).checked_sub(MARKS)? + 0xD800).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str]) -> String {
        let mut joiner = Joiner::default();
        let text = |piece: &&str| serde_json::from_str::<String>(&mark(piece)).expect("JSON");
        let mut out: String = pieces.iter().map(text).map(|piece| joiner.join(piece)).collect();
        out.extend(joiner.rest());
        out
    }

    #[test]
    fn halves_find_each_other_and_lone_ones_are_replaced() {
        assert_eq!(read(&[r#""hi \ud83d\ude00""#]), "hi 😀");
        assert_eq!(read(&[r#""hi \uD83D""#, r#""\uDE00!""#]), "hi 😀!");
        assert_eq!(read(&[r#""hi \ud83d""#, r#""""#, r#""\ude00""#]), "hi 😀");
        assert_eq!(read(&[r#""a\ud83d b\ude00""#]), "a\u{fffd} b\u{fffd}");
        assert_eq!(read(&[r#""\ud83d\ud83d\ude00""#]), "\u{fffd}😀");
        assert_eq!(read(&[r#""a\ud83d""#]), "a\u{fffd}");
        assert_eq!(mend(r#"{"a":"\ud83dé"}"#), "{\"a\":\"\u{fffd}é\"}");
    }

    #[test]
    fn what_only_looks_like_a_half_stays() {
        for text in [r#""\\ud83d""#, r#""\u00fc\\\\ud83d""#, r#""\ud83d\ude00""#, r#""\dud""#] {
            assert!(matches!(mark(text), Cow::Borrowed(same) if same == text), "{text}");
        }
        assert_eq!(read(&[r#""\\\ud83d""#]), "\\\u{fffd}");
        // No JSON, and no panic either.
        for text in [r"\ud", r"\ud83d\ud", r"\ud83d\", r"\é\ud83d", r"\ud83é"] {
            mark(text);
        }
    }
}
