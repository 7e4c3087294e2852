//! Texts that must not be seen.

use std::{fmt, sync::Arc};

/// A password or a key. Prints as `***`; only [`Secret::expose`] gives the text away. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes the text as it is.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text, for whoever needs it to do its work.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A text of somebody else without the secret: some servers repeat the key that they refuse.
    ///
    /// What is no more than a word (`x`, `none`, `EMPTY`: what local servers are given) may be a word of the text, and is
    /// taken out only where the text speaks of a key.
    pub fn redact(&self, text: String) -> String {
        if self.0.is_empty() || !text.contains(&*self.0) {
            return text;
        }
        if !self.is_word() {
            return text.replace(&*self.0, HIDDEN);
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = 0;
        for (at, found) in text.match_indices(&*self.0) {
            let (before, after) = (&text[..at], &text[at + found.len()..]);
            let whole = !before.ends_with(is_word) && !after.starts_with(is_word);
            if whole && speaks_of_key(before) {
                out.push_str(&text[rest..at]);
                out.push_str(HIDDEN);
                rest = at + found.len();
            }
        }
        out.push_str(&text[rest..]);
        out
    }
}

/// What stands for a secret.
const HIDDEN: &str = "***";
/// What local servers are given in place of a key, and what may well be said of something else.
const PLACEHOLDERS: [&str; 3] = ["lm-studio", "not-needed", "placeholder"];

impl Secret {
    /// Whether it may occur in a text by chance: a few letters, or less than six characters of any kind.
    fn is_word(&self) -> bool {
        let length = self.0.chars().count();
        length < 6 || length < 8 && self.0.chars().all(char::is_alphabetic) || PLACEHOLDERS.contains(&&*self.0)
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// Whether a text ends in a word for a key, as `Incorrect API key provided: "`.
fn speaks_of_key(before: &str) -> bool {
    const WORDS: [&str; 8] =
        ["key", "token", "bearer", "provided", "secret", "password", "authorization", "credentials"];
    let spoken = before.trim_end_matches(|c: char| c.is_whitespace() || ":='\"`<([".contains(c));
    // Not right behind the word, for that would be another word.
    spoken.len() < before.len()
        && WORDS.iter().any(|word| {
            let start = spoken.len().checked_sub(word.len()).filter(|start| spoken.is_char_boundary(*start));
            start.is_some_and(|start| spoken[start..].eq_ignore_ascii_case(word))
        })
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_neither_printed_nor_repeated() {
        let key = Secret::new("sk-abc");
        assert_eq!(key.expose(), "sk-abc");
        assert_eq!(format!("{key:?}"), "***");
        assert_eq!(key.redact("bad key sk-abc, sk-abc".into()), "bad key ***, ***");
        assert_eq!(Secret::new("").redact("as it was".into()), "as it was");
    }

    #[test]
    fn a_key_as_short_as_a_word_is_taken_out_only_where_it_is_the_key() {
        for (key, text, shown) in [
            ("x", "Unsupported parameter: 'max_tokens' x", "Unsupported parameter: 'max_tokens' x"),
            ("none", "none of the tools fits: none", "none of the tools fits: none"),
            ("EMPTY", "EMPTY prompt", "EMPTY prompt"),
            (
                "test",
                "Incorrect API key provided: test. See the latest test",
                "Incorrect API key provided: ***. See the latest test",
            ),
            ("x", "invalid api_key=\"x\", x", "invalid api_key=\"***\", x"),
            ("x", "Authorization: Bearer x was refused", "Authorization: Bearer *** was refused"),
            ("x", "the token xyz, keyx", "the token xyz, keyx"),
            ("é", "key é, é", "key ***, é"),
            ("ollama", "ollama: no such model; token ollama", "ollama: no such model; token ***"),
            ("lm-studio", "lm-studio has no model", "lm-studio has no model"),
            ("a1b2c3", "xa1b2c3x", "x***x"),
        ] {
            assert_eq!(Secret::new(key).redact(text.into()), shown);
        }
    }
}
