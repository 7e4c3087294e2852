//! Reading `[[call NAME {json}]]` orders out of a text.

use serde::de::IgnoredAny;

/// The orders of a text and what else it says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) calls: Vec<Order>,
    pub(super) rest: String,
}

/// One order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) name: String,
    /// As written; `{}` where nothing was.
    pub(super) arguments: String,
}

/// Splits a text. What looks like an order but never closes is text.
pub(super) fn read(text: &str) -> Script {
    let mut script = Script::default();
    let mut from = 0;
    let mut at = 0;
    // Nothing that begins behind the last end ever closes. Looked for once, however many begin there.
    let last_end = text.rfind("]]").unwrap_or(0);
    while let Some(found) = text[at..].find("[[call") {
        let start = at + found;
        if start > last_end {
            break;
        }
        match order(&text[start..]) {
            Some((order, length)) => {
                script.calls.push(order);
                join(&mut script.rest, &text[from..start]);
                from = start + length;
                at = from;
            }
            None => at = start + "[[call".len(),
        }
    }
    join(&mut script.rest, &text[from..]);
    script.rest = script.rest.trim().to_owned();
    script
}

/// Puts two texts together from between which an order was taken, without the doubled space.
fn join(text: &mut String, more: &str) {
    let doubled = text.is_empty() || text.ends_with(char::is_whitespace);
    text.push_str(if doubled { more.trim_start() } else { more });
}

/// An order at the beginning of the text, and its length.
fn order(text: &str) -> Option<(Order, usize)> {
    let after_word = text.strip_prefix("[[call")?;
    let spaces = after_word.len() - after_word.trim_start().len();
    if spaces == 0 {
        return None;
    }
    let name_at = "[[call".len() + spaces;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let name_end = text[name_at..].find(|c| !fits(c)).map(|n| name_at + n)?;
    if name_end == name_at {
        return None;
    }
    let body = &text[name_end..];
    let json_at = body.len() - body.trim_start().len();
    // Without arguments, or with something that is no JSON: all up to the closing brackets.
    let json_end = json_length(&body[json_at..]).map(|length| json_at + length);
    let close = json_end.unwrap_or_default() + body[json_end.unwrap_or_default()..].find("]]")?;
    let arguments = body.get(json_at..json_end.unwrap_or(close)).unwrap_or_default().trim();
    let order = Order {
        name: text[name_at..name_end].to_owned(),
        arguments: if arguments.is_empty() { "{}".into() } else { arguments.to_owned() },
    };
    Some((order, name_end + close + "]]".len()))
}

/// The length of the JSON value that the text begins with: brackets inside its strings are its own.
fn json_length(text: &str) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(values.byte_offset())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calls(text: &str) -> Vec<String> {
        read(text).calls.into_iter().map(|c| format!("{} {}", c.name, c.arguments)).collect()
    }

    #[test]
    fn orders_are_taken_out_in_order() {
        let script = read("please [[call a {\"x\": 1}]] and [[call b]] now");
        assert_eq!(script.rest, "please and now");
        assert_eq!(calls("please [[call a {\"x\": 1}]] and [[call b]] now"), ["a {\"x\": 1}", "b {}"]);
        assert_eq!(read("[[call a]]").rest, "");
        assert_eq!(read("[[call a]] line one\n\nline two ").rest, "line one\n\nline two");
    }

    #[test]
    fn a_text_of_orders_that_never_close_is_read_at_once() {
        let text = "[[call a x".repeat(400_000);
        assert_eq!(read(&text).rest, text);
        let text = format!("[[call b]]{text}");
        assert_eq!(read(&text).calls.len(), 1);
    }

    #[test]
    fn brackets_inside_the_json_belong_to_it() {
        assert_eq!(
            calls(r#"[[call a {"x": [[1, [2]]], "y": {"z": "]] [[call b {}]]"}}]][[call c { }]]"#),
            [r#"a {"x": [[1, [2]]], "y": {"z": "]] [[call b {}]]"}}"#, "c { }"]
        );
        assert_eq!(calls(r#"[[call a {"q": "say \"]]\" twice"} ]]"#), [r#"a {"q": "say \"]]\" twice"}"#]);
        assert_eq!(calls("[[call a [1, [2]]]]"), ["a [1, [2]]"]);
    }

    #[test]
    fn what_is_no_json_is_sent_as_it_stands() {
        assert_eq!(calls(r#"[[call a {"x": ]] rest"#), [r#"a {"x":"#]);
        assert_eq!(calls("[[call a not json]]"), ["a not json"]);
        assert_eq!(calls("[[call a \n ]]"), ["a {}"]);
        assert_eq!(read(r#"[[call a {"x": ]] rest"#).rest, "rest");
    }

    #[test]
    fn what_is_no_order_is_text() {
        for text in
            ["[[call]]", "[[call ]]", "[[caller a]]", "[[call a {\"x\": 1}", "[[call a", "[[call é {}]]", "[call a]"]
        {
            assert_eq!(read(text), Script { calls: vec![], rest: text.to_owned() }, "{text}");
        }
        assert_eq!(calls("[[call [[call a]]"), ["a {}"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(\\[\\[call ?|[a-c{}\"\\[\\]:,é \n0-9]|\\]\\]){0,40}") {
            read(&text);
        }

        #[test]
        fn any_json_object_survives(key in ".{0,8}", value in ".{0,20}", before in "[a-z ]{0,10}", after in "[a-z ]{0,10}") {
            let arguments = serde_json::json!({ key: [value, { "n": [[1]] }] }).to_string();
            let script = read(&format!("{before}[[call tool {arguments}]]{after}"));
            prop_assert_eq!(&script.calls, &[Order { name: "tool".into(), arguments }]);
            prop_assert_eq!(
                script.rest.split_whitespace().collect::<String>(),
                format!("{before}{after}").split_whitespace().collect::<String>()
            );
        }
    }
}
