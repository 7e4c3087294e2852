use chrono::TimeDelta;
use chrono_tz::Tz;
use engram_core::ports::MessageQuery;
use engram_domain::JsonMap;
use proptest::prelude::*;
use serde_json::json;

use super::fakes::now;
use crate::builtin::{
    recall::{excerpt, words},
    when,
};

#[test]
fn words_are_those_that_tell_something() {
    let cases: &[(&str, &[&str])] = &[
        ("What did the user say about Ulm, and Ulm's minster?", &["ulm", "minster"]),
        ("who are you", &["who", "are", "you"]),
        ("room 7 b", &["room", "7"]),
        ("我的猫叫什么", &["我的", "的猫", "猫叫", "叫什", "什么"]),
        ("ÄPFEL", &["äpfel"]),
        ("?!", &[]),
        ("", &[]),
    ];
    for (query, want) in cases {
        assert_eq!(words(query), *want, "{query}");
    }
}

#[test]
fn a_long_message_is_shown_around_the_hit() {
    let text = format!("{}NEEDLE{}", "ä".repeat(5_000), "x".repeat(5_000));
    let query = MessageQuery { words: vec!["absent".into(), "needle".into()], ..MessageQuery::default() };
    let shown = excerpt(&text, &query);
    assert!(shown.contains("NEEDLE") && shown.starts_with("…ä") && shown.ends_with("x…"));
    assert_eq!(shown.chars().count(), 2_002);
    assert_eq!(excerpt("short", &query), "short");
}

#[test]
fn ages_are_in_their_largest_unit() {
    let ages = [0, -5, 59, 60, 3_599, 7_200, 86_400 * 2, 86_400 * 65, 86_400 * 800];
    let shown = ages.map(|s| when::ago(now() - TimeDelta::seconds(s), now()));
    assert_eq!(
        shown.join(", "),
        "just now, just now, just now, 1 minute ago, 59 minutes ago, 2 hours ago, 2 days ago, 2 months ago, 2 years ago"
    );
    assert_eq!(when::stamp(now(), Tz::Asia__Kolkata), "2026-11-21T17:30:00+05:30");
}

#[test]
fn a_day_that_begins_without_a_midnight_begins_an_hour_later() {
    let args: JsonMap = [("d".to_owned(), json!("2018-11-04"))].into_iter().collect();
    let since = when::since(&args, "d", Tz::America__Sao_Paulo).unwrap().unwrap();
    assert_eq!(since.to_string(), "2018-11-04 03:00:00 UTC");
}

proptest! {
    #[test]
    fn no_text_makes_the_helpers_panic(text in "\\PC{0,60}|[-0-9:TZ+. ]{0,30}|\\PC{2000,2100}", query in "\\PC{0,30}") {
        let found = words(&query);
        prop_assert!(found.len() <= 16 && found.iter().all(|w| !w.is_empty()));
        let query = MessageQuery { phrase: Some(query), words: found, ..MessageQuery::default() };
        prop_assert!(excerpt(&text, &query).chars().count() <= 2_002);
        let args: JsonMap = [("d".to_owned(), json!(text))].into_iter().collect();
        for zone in [Tz::UTC, Tz::America__Sao_Paulo] {
            let (since, until) = (when::since(&args, "d", zone), when::until(&args, "d", zone));
            if let (Ok(Some(since)), Ok(Some(until))) = (since, until) {
                prop_assert!(since < until);
            }
        }
    }
}
