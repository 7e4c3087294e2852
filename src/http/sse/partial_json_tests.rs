//! Whatever the cuts, the same members come out.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// Members as `(key, raw value, text)`, put together again from the events.
fn members(pieces: &[&str]) -> (Vec<(String, String, String)>, bool) {
    let mut reader = Reader::default();
    let (mut out, mut ended): (Vec<(String, String, String)>, bool) = (Vec::new(), false);
    for event in pieces.iter().flat_map(|p| reader.push(p)) {
        match event {
            Event::Key(key) => out.push((key, String::new(), String::new())),
            Event::Value { raw, text } => {
                let last = out.last_mut().expect("a value follows a key");
                last.1.push_str(&raw);
                last.2.push_str(&text);
            }
            Event::End => ended = true,
            Event::Broken(rest) => out.push(("broken".into(), rest, String::new())),
        }
    }
    (out, ended)
}

fn one(text: &str) -> String {
    members(&[text]).0.remove(0).2
}

#[test]
fn a_string_comes_out_as_it_is_written() {
    let mut reader = Reader::default();
    assert_eq!(reader.push("{\"mess"), []);
    assert_eq!(
        reader.push("age\": \"Hel"),
        [Event::Key("message".into()), Event::Value { raw: "\"Hel".into(), text: "Hel".into() }]
    );
    assert_eq!(reader.push("lo\\"), [Event::Value { raw: "lo\\".into(), text: "lo".into() }]);
    assert_eq!(reader.push("n!\"}"), [Event::Value { raw: "n!\"".into(), text: "\n!".into() }, Event::End]);
}

#[test]
fn escapes_are_resolved_wherever_they_are_cut() {
    assert_eq!(one(r#"{"a":"\"\\\/\b\f\n\r\t"}"#), "\"\\/\u{8}\u{c}\n\r\t");
    assert_eq!(one(r#"{"a":"\u00e9\uD83D\uDE00"}"#), "é😀");
    assert_eq!(members(&["{\"a\":\"\\u00", "e9\\uD8", "3D", "\\", "uDE", "00!\"}"]).0[0].2, "é😀!");
}

#[test]
fn halves_of_surrogate_pairs_are_replaced() {
    assert_eq!(one(r#"{"a":"\uD83D!"}"#), "\u{fffd}!");
    assert_eq!(one(r#"{"a":"\uD83D"}"#), "\u{fffd}");
    assert_eq!(one(r#"{"a":"\uD83D\n"}"#), "\u{fffd}\n");
    assert_eq!(one(r#"{"a":"\uDE00"}"#), "\u{fffd}");
    assert_eq!(one(r#"{"a":"\uD83D\uD83D\uDE00"}"#), "\u{fffd}😀");
    assert_eq!(one(r#"{"a":"\uZZZZ."}"#), "\u{fffd}.");
}

#[test]
fn other_values_come_out_raw() {
    let (members, ended) = members(&[r#"{"a": 1.5e3 , "b":true,"c":[1,{"x":"]}\""}], "d":{"e":{}},"f":null}"#]);
    let raw: Vec<_> = members.iter().map(|m| m.1.as_str()).collect();
    assert_eq!(raw, ["1.5e3", "true", r#"[1,{"x":"]}\""}]"#, r#"{"e":{}}"#, "null"]);
    assert!(ended);
}

#[test]
fn nested_keys_are_not_members() {
    let (members, _) = members(&[r#"{"a":{"message":"inner"},"message":"outer"}"#]);
    assert_eq!(
        members.iter().map(|m| (m.0.as_str(), m.2.as_str())).collect::<Vec<_>>(),
        [("a", ""), ("message", "outer")]
    );
}

#[test]
fn what_is_no_object_is_passed_through() {
    assert_eq!(members(&["hel", "lo"]).0.iter().map(|m| m.1.as_str()).collect::<String>(), "hello");
    assert_eq!(members(&["{}"]), (vec![], true));
    assert_eq!(members(&["{\"a\" 1}"]).0[0].1, "1}");
    assert!(members(&["{\"a\":1,}"]).1);
    assert!(!members(&["{\"a\":\"unfinished"]).1);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(Value::Null)
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,6}", inner), 0..4).prop_map(|m| Value::Object(m.into_iter().collect()))
        ]
    })
}

proptest! {
    #[test]
    fn any_object_in_any_pieces(
        object in prop::collection::vec((".{0,8}", value()), 0..5).prop_map(|m| m.into_iter().collect::<Map<_, _>>()),
        cuts in prop::collection::vec(0usize..400, 0..12),
        pretty in any::<bool>(),
    ) {
        let text = if pretty { format!("{:#}", json!(object)) } else { json!(object).to_string() };
        let mut at: Vec<usize> = cuts.into_iter().filter(|c| text.is_char_boundary(*c) && *c <= text.len()).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        let pieces: Vec<&str> = at.windows(2).map(|w| &text[w[0]..w[1]]).collect();
        let (members, ended) = members(&pieces);
        prop_assert!(ended);
        prop_assert_eq!(members.len(), object.len());
        for ((key, raw, text), (want_key, want)) in members.iter().zip(&object) {
            prop_assert_eq!(key, want_key);
            prop_assert_eq!(&serde_json::from_str::<Value>(raw).expect("raw values are JSON"), want);
            if let Value::String(want) = want {
                prop_assert_eq!(text, want);
            }
        }
    }
}
