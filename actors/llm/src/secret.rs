//! API keys that cannot be printed by accident.

use std::{fmt, sync::Arc};

/// An API key. Prints as `***`; only [`Secret::expose`] gives it away. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes a key. White space around it goes: it comes from files that end in a line break, and
    /// no header may carry it.
    pub fn new(key: &str) -> Self {
        Self(key.trim().into())
    }

    /// The key itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text without the key: some providers repeat the key that they refuse.
    pub(crate) fn redact(&self, text: String) -> String {
        if self.0.is_empty() || !text.contains(&*self.0) { text } else { text.replace(&*self.0, "***") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl From<String> for Secret {
    fn from(key: String) -> Self {
        Self::new(&key)
    }
}

impl From<&str> for Secret {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_neither_printed_nor_repeated() {
        let key = Secret::new(" sk-abc\n");
        assert_eq!(key.expose(), "sk-abc");
        assert_eq!(format!("{key:?}"), "***");
        assert_eq!(key.redact("bad key sk-abc, sk-abc".into()), "bad key ***, ***");
        assert_eq!(Secret::new("").redact("as it was".into()), "as it was");
    }
}
