//! How many of a thing one request may name. Members of requests are compared with each other and with what is stored, so
//! their number is bounded before anything else is done.

use engram_domain::Json;

use super::{Error, Result};

/// Messages that one request says, and first messages of an agent.
pub const MESSAGES: usize = 1_000;
/// Parts of one message.
pub const PARTS: usize = 1_000;
/// Decisions on calls in one message.
pub const DECISIONS: usize = 1_000;
/// Kinds of messages that a request names: there are fewer.
pub const MESSAGE_TYPES: usize = 100;
/// Steps that a run may be asked for.
pub const STEPS: i32 = 10_000;
/// Passages that one request stores.
pub const PASSAGES: usize = 1_000;
/// Bytes of a passage that is stored whole.
pub const PASSAGE: usize = engram_domain::archive::MAX_PASSAGE_BYTES;
/// Numbers that one request's new vectors may have together: they stand in the answer.
pub const VECTOR_NUMBERS: usize = 2_000_000;
/// Tools that one agent may be given.
pub const TOOLS: usize = 1_000;
/// Rules of one agent, and the tools that its rules name.
pub const RULES: usize = 1_000;
/// Words that a search compares with each thing there is.
pub const WORDS: usize = 64;
/// Bytes of what is searched for.
pub const QUERY: usize = 64 * 1024;
/// Bytes of the name of a tool, of its argument or of a kind of message, where a request names one.
pub const NAME: usize = 200;
/// Tags of one thing, and of a search.
pub const TAGS: usize = 1_000;
/// Variables of one agent.
pub const VARIABLES: usize = 1_000;
/// Bytes of the name of a variable.
pub const VARIABLE_NAME: usize = 200;
/// Bytes of free-form data of one thing, as JSON. It stands in every answer that shows the thing.
pub const METADATA: usize = 1024 * 1024;

/// Refuses more than `most` of something. `path` is the member.
pub fn at_most<S: AsRef<str>>(path: &[S], what: &str, count: usize, most: usize) -> Result<()> {
    if count <= most {
        return Ok(());
    }
    Err(Error::invalid(path, format!("expected at most {most} {what}"), Json::from(count)))
}

/// Refuses free-form data that weighs too much.
pub fn metadata<S: AsRef<str>>(path: &[S], data: &engram_domain::JsonMap) -> Result<()> {
    let bytes = serde_json::to_string(data).map_or(usize::MAX, |text| text.len());
    at_most(path, "bytes of JSON", bytes, METADATA)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::error::testing::refused;

    #[test]
    fn what_is_too_much_is_named_with_both_numbers() {
        assert!(at_most(&["tags"], "tags", 3, 3).is_ok());
        assert_eq!(refused(at_most(&["tags"], "tags", 4, 3)), ("tags".into(), "expected at most 3 tags".into()));
        let heavy = [("a".to_owned(), Json::from("x".repeat(METADATA)))].into_iter().collect();
        assert_eq!(refused(metadata(&["metadata"], &heavy)).0, "metadata");
        assert!(metadata(&["metadata"], &engram_domain::JsonMap::new()).is_ok());
    }
}
