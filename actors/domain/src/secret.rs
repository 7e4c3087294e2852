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
    pub fn redact(&self, text: String) -> String {
        if self.0.is_empty() || !text.contains(&*self.0) { text } else { text.replace(&*self.0, "***") }
    }
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
}
