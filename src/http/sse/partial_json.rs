//! Reads a JSON object while it is still being written.
//!
//! What it does: takes the text of a tool call's arguments in pieces of any size and tells, member by
//! member of the top level, what has come: a string's own characters as soon as they are complete
//! (escapes resolved), everything else as raw text.
//!
//! Invariants: the same text gives the same characters however it was cut; nothing is held back but
//! an escape that is not complete; text that is not a JSON object never fails, it ends in
//! [`Event::Broken`] and is passed through.

/// What a piece of text brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A member begins.
    Key(String),
    /// Part of the member's value: as it is written, and for strings what it means.
    Value {
        /// As it is written, quotes included.
        raw: String,
        /// The characters of a string; empty for every other value.
        text: String,
    },
    /// The object is over.
    End,
    /// This is not what an object looks like; the rest, as it came.
    Broken(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Start,
    /// Before a key, or before the end of an object.
    BeforeKey,
    Key,
    AfterKey,
    BeforeValue,
    Text,
    /// A value that is not a string: nesting, and whether we are in a string within it.
    Other {
        depth: usize,
        in_string: bool,
        escaped: bool,
    },
    AfterValue,
    End,
    Broken,
}

/// The reader. Feed it with [`Reader::push`].
#[derive(Debug)]
pub struct Reader {
    state: State,
    escape: Escape,
    key: String,
    events: Vec<Event>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { state: State::Start, escape: Escape::default(), key: String::new(), events: Vec::new() }
    }
}

impl Reader {
    /// Takes the next piece and tells what it brought.
    pub fn push(&mut self, piece: &str) -> Vec<Event> {
        for c in piece.chars() {
            self.take(c);
        }
        std::mem::take(&mut self.events)
    }

    fn take(&mut self, c: char) {
        match &mut self.state {
            State::Start if c == '{' => self.state = State::BeforeKey,
            State::BeforeKey if c == '"' => {
                self.key.clear();
                self.state = State::Key;
            }
            // A comma before the end is forgiven: models write it.
            State::BeforeKey | State::AfterValue if c == '}' => {
                self.state = State::End;
                self.events.push(Event::End);
            }
            State::Key => match self.escape.take(c) {
                Taken::Chars(text) => self.key.push_str(&text),
                Taken::Close(text) => {
                    self.key.push_str(&text);
                    self.state = State::AfterKey;
                }
            },
            State::AfterKey if c == ':' => self.state = State::BeforeValue,
            State::BeforeValue if !c.is_whitespace() => {
                self.events.push(Event::Key(std::mem::take(&mut self.key)));
                self.value(c, String::new());
                self.state = match c {
                    '"' => State::Text,
                    '{' | '[' => State::Other { depth: 1, in_string: false, escaped: false },
                    _ => State::Other { depth: 0, in_string: false, escaped: false },
                };
            }
            State::Text => match self.escape.take(c) {
                Taken::Chars(text) => self.value(c, text),
                Taken::Close(text) => {
                    self.value(c, text);
                    self.state = State::AfterValue;
                }
            },
            State::Other { .. } => self.other(c),
            State::AfterValue if c == ',' => self.state = State::BeforeKey,
            State::End | State::Start | State::BeforeKey | State::AfterKey | State::BeforeValue | State::AfterValue
                if c.is_whitespace() => {}
            State::Broken => self.broken(c),
            _ => {
                self.state = State::Broken;
                self.broken(c);
            }
        }
    }

    /// One character of a number, a word, a list or an object.
    fn other(&mut self, c: char) {
        let State::Other { depth, in_string, escaped } = &mut self.state else { return };
        if *in_string {
            match c {
                _ if *escaped => *escaped = false,
                '\\' => *escaped = true,
                '"' => *in_string = false,
                _ => {}
            }
            return self.value(c, String::new());
        }
        let over = match (c, *depth) {
            (',' | '}', 0) => Some(State::AfterValue),
            _ if c.is_whitespace() && *depth == 0 => Some(State::AfterValue),
            _ => None,
        };
        if let Some(after) = over {
            self.state = after;
            return self.take(c);
        }
        match c {
            '"' => *in_string = true,
            '{' | '[' => *depth += 1,
            '}' | ']' => *depth = depth.saturating_sub(1),
            _ => {}
        }
        let closed = *depth == 0 && matches!(c, '}' | ']');
        self.value(c, String::new());
        if closed {
            self.state = State::AfterValue;
        }
    }

    fn value(&mut self, c: char, meaning: String) {
        if let Some(Event::Value { raw, text }) = self.events.last_mut() {
            raw.push(c);
            text.push_str(&meaning);
        } else {
            self.events.push(Event::Value { raw: c.into(), text: meaning });
        }
    }

    fn broken(&mut self, c: char) {
        if let Some(Event::Broken(rest)) = self.events.last_mut() {
            rest.push(c);
        } else {
            self.events.push(Event::Broken(c.into()));
        }
    }
}

enum Taken {
    /// These characters are complete now.
    Chars(String),
    /// The string is over; these were still missing.
    Close(String),
}

/// Resolves the escapes of one string.
#[derive(Debug, Default)]
struct Escape {
    /// What follows a backslash, so far; none outside an escape.
    pending: Option<String>,
    /// The first half of a surrogate pair.
    high: Option<u16>,
}

impl Escape {
    fn take(&mut self, c: char) -> Taken {
        match &mut self.pending {
            None if c == '\\' => {
                self.pending = Some(String::new());
                Taken::Chars(String::new())
            }
            None => {
                let mut out = self.lone();
                if c == '"' {
                    return Taken::Close(out);
                }
                out.push(c);
                Taken::Chars(out)
            }
            Some(so_far) => {
                so_far.push(c);
                let so_far = so_far.clone();
                Taken::Chars(self.escaped(&so_far))
            }
        }
    }

    /// A first half that found no second one.
    fn lone(&mut self) -> String {
        self.high.take().map_or_else(String::new, |_| '\u{fffd}'.into())
    }

    fn escaped(&mut self, so_far: &str) -> String {
        if let Some(hex) = so_far.strip_prefix('u') {
            if hex.len() < 4 {
                return String::new();
            }
            self.pending = None;
            return match u16::from_str_radix(hex, 16) {
                Ok(unit) => self.unit(unit),
                Err(_) => self.lone() + "\u{fffd}",
            };
        }
        self.pending = None;
        let c = match so_far {
            "n" => '\n',
            "t" => '\t',
            "r" => '\r',
            "b" => '\u{8}',
            "f" => '\u{c}',
            other => other.chars().next().unwrap_or('\u{fffd}'),
        };
        let mut out = self.lone();
        out.push(c);
        out
    }

    fn unit(&mut self, unit: u16) -> String {
        match (self.high.take(), unit) {
            (Some(high), 0xdc00..=0xdfff) => String::from_utf16(&[high, unit]).unwrap_or_else(|_| '\u{fffd}'.into()),
            (earlier, 0xd800..=0xdbff) => {
                self.high = Some(unit);
                earlier.map_or_else(String::new, |_| '\u{fffd}'.into())
            }
            (earlier, unit) => {
                let mut out = earlier.map_or_else(String::new, |_| '\u{fffd}'.into());
                out.push(char::from_u32(u32::from(unit)).unwrap_or('\u{fffd}'));
                out
            }
        }
    }
}

#[cfg(test)]
#[path = "partial_json_tests.rs"]
mod tests;
