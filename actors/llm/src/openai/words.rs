//! Text that servers wrap in different ways.

use std::fmt;

use engram_domain::Json;
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

/// Text: a string, a list of parts, or nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words(pub(super) String);

/// Arguments of a call: JSON as a string, as the API says, or as an object, as some servers do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments(pub(super) String);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(WordsVisitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ArgumentsVisitor).map(Self)
    }
}

macro_rules! plain_text {
    () => {
        fn visit_str<E: de::Error>(self, v: &str) -> Result<String, E> {
            Ok(v.to_owned())
        }

        fn visit_string<E: de::Error>(self, v: String) -> Result<String, E> {
            Ok(v)
        }

        fn visit_unit<E: de::Error>(self) -> Result<String, E> {
            Ok(String::new())
        }

        fn visit_bool<E: de::Error>(self, _: bool) -> Result<String, E> {
            Ok(String::new())
        }

        fn visit_u64<E: de::Error>(self, v: u64) -> Result<String, E> {
            Ok(v.to_string())
        }

        fn visit_i64<E: de::Error>(self, v: i64) -> Result<String, E> {
            Ok(v.to_string())
        }

        fn visit_f64<E: de::Error>(self, v: f64) -> Result<String, E> {
            Ok(v.to_string())
        }
    };
}

struct WordsVisitor;

impl<'de> Visitor<'de> for WordsVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a list of text parts, or null")
    }

    plain_text!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<String, A::Error> {
        let mut out = String::new();
        while let Some(part) = seq.next_element::<Json>()? {
            if let Some(text) = part.as_str().or_else(|| part.get("text").and_then(Json::as_str)) {
                out.push_str(text);
            }
        }
        Ok(out)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        // An object where text belongs says nothing that we know how to read.
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(String::new())
    }
}

struct ArgumentsVisitor;

impl<'de> Visitor<'de> for ArgumentsVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON text or an object")
    }

    plain_text!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<String, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Json>()? {
            items.push(item);
        }
        Ok(Json::Array(items).to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<String, A::Error> {
        Json::deserialize(MapAccessDeserializer::new(map)).map(|v| v.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_in_many_forms() {
        let words = |json: &str| serde_json::from_str::<Words>(json).expect("tolerated").0;
        assert_eq!(words(r#""a""#), "a");
        assert_eq!(words("null"), "");
        assert_eq!(words(r#"[{"type":"text","text":"a"},{"type":"image"},"b"]"#), "ab");
        assert_eq!(words(r#"{"effort":"high"}"#), "");
        let arguments = |json: &str| serde_json::from_str::<Arguments>(json).expect("tolerated").0;
        assert_eq!(arguments(r#""{\"a\": 1""#), r#"{"a": 1"#);
        assert_eq!(arguments(r#"{"b":{"c":[1]},"a":2}"#), r#"{"b":{"c":[1]},"a":2}"#);
    }
}
