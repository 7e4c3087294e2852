//! Names and ids as the API allows them.

use std::borrow::Cow;

/// The longest id of a tool call that OpenAI takes, in characters.
const LONGEST_ID: usize = 40;
/// The longest name of a tool or a speaker.
const LONGEST_NAME: usize = 64;

/// A name of letters, digits, `_` and `-` only.
pub(super) fn name(name: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(fits) {
        return Cow::Borrowed(name);
    }
    let clean: String = name.chars().take(LONGEST_NAME).map(|c| if fits(c) { c } else { '_' }).collect();
    Cow::Owned(if clean.is_empty() { "_".into() } else { clean })
}

/// An id that the API takes: the same for a call and its result, and different for different ids.
pub(super) fn call_id(id: &str) -> Cow<'_, str> {
    if id.chars().count() <= LONGEST_ID {
        return Cow::Borrowed(id);
    }
    // Ids that are cut alone could become the same.
    let start: String = id.chars().take(LONGEST_ID - 9).collect();
    Cow::Owned(format!("{start}-{:08x}", crate::embed::hash(id.as_bytes()) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_only_where_they_must() {
        assert!(matches!(name("send_message"), Cow::Borrowed(_)));
        assert_eq!(name("Zoë the 2nd"), "Zo__the_2nd");
        assert_eq!(name(""), "_");
        assert_eq!(name(&"x".repeat(100)).len(), 64);
    }

    #[test]
    fn long_ids_are_cut_and_stay_different() {
        let long = |end: &str| format!("{}{end}", "a".repeat(50));
        assert_eq!(call_id("call_1"), "call_1");
        assert_eq!(call_id(&long("x")).len(), 40);
        assert_eq!(call_id(&long("x")), call_id(&long("x")));
        assert_ne!(call_id(&long("x")), call_id(&long("y")));
    }
}
