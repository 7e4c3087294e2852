//! Thoughts in the text of an answer.
//!
//! A server that runs a reasoning model without a parser for it leaves the model's thoughts in the text, between tags:
//! `<think>…</think>`. They are thoughts all the same. Only tags at the beginning of the text count: further on
//! the model may be speaking of tags.

/// Tags that open thoughts, and those that close them.
const TAGS: [(&str, &str); 3] = [("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<thought>", "</thought>")];

/// A piece of text, told apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Thought(String),
}

/// Tells thoughts from words, piece by piece. What may be the beginning of a tag is held back until that is known.
#[derive(Debug, Default)]
pub(super) struct Tags {
    place: Place,
    held: String,
}

#[derive(Debug, Default, Clone, Copy)]
enum Place {
    /// Before the first word.
    #[default]
    Start,
    /// Among thoughts that this tag closes; `true` once there was more than white space.
    Inside(&'static str, bool),
    /// Behind thoughts; more of them may follow.
    After,
    /// Among words.
    Text,
}

impl Tags {
    pub(super) fn push(&mut self, piece: &str, tell: &mut dyn FnMut(Piece)) {
        self.held.push_str(piece);
        while self.advance(tell) {}
    }

    /// What is still held back.
    pub(super) fn finish(&mut self, tell: &mut dyn FnMut(Piece)) {
        let held = std::mem::take(&mut self.held);
        match self.place {
            Place::Inside(..) => tell_some(Piece::Thought, &held, tell),
            Place::After => tell_some(Piece::Text, held.trim_start(), tell),
            Place::Start | Place::Text => tell_some(Piece::Text, &held, tell),
        }
    }

    /// Goes on as far as is clear; whether there may be more to do.
    fn advance(&mut self, tell: &mut dyn FnMut(Piece)) -> bool {
        match self.place {
            Place::Text => {
                tell_some(Piece::Text, &std::mem::take(&mut self.held), tell);
                false
            }
            Place::Start | Place::After => {
                let words = self.held.trim_start();
                if let Some((open, close)) = TAGS.iter().find(|(open, _)| words.starts_with(open)) {
                    self.held = words[open.len()..].to_owned();
                    self.place = Place::Inside(close, false);
                    return true;
                }
                if TAGS.iter().any(|(open, _)| open.starts_with(words)) {
                    return false;
                }
                if matches!(self.place, Place::After) {
                    self.held = words.to_owned();
                }
                self.place = Place::Text;
                true
            }
            Place::Inside(close, begun) => {
                if !begun {
                    self.held = self.held.trim_start().to_owned();
                    self.place = Place::Inside(close, !self.held.is_empty());
                }
                if let Some(at) = self.held.find(close) {
                    tell_some(Piece::Thought, &self.held[..at], tell);
                    self.held = self.held[at + close.len()..].to_owned();
                    self.place = Place::After;
                    return true;
                }
                let kept = (1..close.len()).rev().find(|n| self.held.ends_with(&close[..*n])).unwrap_or(0);
                let rest = self.held.split_off(self.held.len() - kept);
                tell_some(Piece::Thought, &std::mem::replace(&mut self.held, rest), tell);
                false
            }
        }
    }
}

fn tell_some(form: fn(String) -> Piece, text: &str, tell: &mut dyn FnMut(Piece)) {
    if !text.is_empty() {
        tell(form(text.to_owned()));
    }
}

/// Thoughts and words of a text whose thoughts were closed and never opened, because the opening tag stood in the prompt.
/// The closing one must have a line of its own.
pub(super) fn unopened(text: &str) -> Option<(&str, &str)> {
    let (thoughts, words) = text.split_once("</think>")?;
    let own_line =
        thoughts.trim_end_matches(' ').ends_with('\n') && (words.is_empty() || words.starts_with(['\n', '\r']));
    own_line.then(|| (thoughts.trim(), words.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thoughts and words of a text that comes in pieces of so many bytes.
    fn told(text: &str, size: usize) -> (String, String) {
        let (mut thoughts, mut words) = (String::new(), String::new());
        let mut tell = |piece| match piece {
            Piece::Text(text) => words.push_str(&text),
            Piece::Thought(text) => thoughts.push_str(&text),
        };
        let mut tags = Tags::default();
        for piece in text.as_bytes().chunks(size) {
            tags.push(std::str::from_utf8(piece).expect("ASCII"), &mut tell);
        }
        tags.finish(&mut tell);
        (thoughts, words)
    }

    #[test]
    fn thoughts_at_the_beginning_are_told_from_words() {
        for size in 1..30 {
            let same = |text: &str, thoughts: &str, words: &str| {
                assert_eq!(told(text, size), (thoughts.into(), words.into()), "{text:?} in pieces of {size}");
            };
            same("<think>hm</think>\n\nHello!", "hm", "Hello!");
            same("\n<think>\nhm</think>Hello", "hm", "Hello");
            same("<think>a</think>\n<think>b</think>c", "ab", "c");
            same("<thinking>a </think b</thinking> c", "a </think b", "c");
            same("<think>\n\n</think>\n\nHello", "", "Hello");
            same("<think>cut short", "cut short", "");
            same("  Hello <think>no</think>", "", "  Hello <think>no</think>");
            same("<thin air>", "", "<thin air>");
            same("<thi", "", "<thi");
        }
    }

    #[test]
    fn a_closing_tag_on_its_own_line_ends_thoughts_that_were_never_opened() {
        assert_eq!(unopened("hm, well\n</think>\n\nHello"), Some(("hm, well", "Hello")));
        assert_eq!(unopened("The tag `</think>` closes thoughts."), None);
        assert_eq!(unopened("Hello"), None);
    }
}
