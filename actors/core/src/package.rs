//! How messages are packaged for the model: small JSON documents, two spaces of indent, the keys in
//! a fixed order. Programs written for the old server look for these texts, so their layout is part
//! of the wire.

use std::borrow::Cow;

use chrono::format::{DelayedFormat, StrftimeItems};
use chrono_tz::Tz;
use engram_domain::{Time, ToolReturn, ToolStatus};
use serde_json::json;

/// A time as the model is shown it, in the agent's zone (UTC when the zone is unknown):
/// `2026-11-21 07:39:41 PM UTC+0000`.
pub fn time(at: Time, zone: &str) -> String {
    let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
    let shown: DelayedFormat<StrftimeItems<'_>> = at.with_timezone(&zone).format("%Y-%m-%d %I:%M:%S %p %Z%z");
    shown.to_string()
}

fn pretty(value: &serde_json::Value) -> String {
    // A `Value` always serializes.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Somebody's words as an agent that speaks through a tool is shown them: with the time at which they came.
pub fn user_message(text: &str, name: Option<&str>, at: Time, zone: &str) -> String {
    let mut package = json!({ "type": "user_message", "message": text, "time": time(at, zone) });
    if let Some(name) = name {
        package["name"] = json!(name);
    }
    pretty(&package)
}

/// The line behind somebody's words for other agents, which are shown them as they are.
pub fn sent(at: Time, zone: &str) -> String {
    format!("{SENT}{}]", time(at, zone))
}

/// How that line begins.
const SENT: &str = "[Sent at ";
/// Tokens that the time takes in either form, less what the text itself takes.
pub const TIME_TOKENS: i32 = 40;

/// Somebody's words out of what a model was shown of them.
pub fn words(shown: &str) -> Cow<'_, str> {
    #[derive(serde::Deserialize)]
    struct Package {
        r#type: String,
        message: String,
    }
    if shown.starts_with('{')
        && let Ok(package) = serde_json::from_str::<Package>(shown)
        && package.r#type == "user_message"
    {
        return Cow::Owned(package.message);
    }
    let before = shown.rfind(SENT).filter(|_| shown.ends_with(']')).map(|at| &shown[..at]);
    Cow::Borrowed(
        before.and_then(|text| text.is_empty().then_some(text).or_else(|| text.strip_suffix('\n'))).unwrap_or(shown),
    )
}

/// The result of a tool call.
pub fn tool_return(result: &ToolReturn, at: Time, zone: &str) -> String {
    let status = match result.status {
        ToolStatus::Success => "OK",
        ToolStatus::Error => "Failed",
    };
    pretty(&json!({ "status": status, "message": result.text, "time": time(at, zone) }))
}

/// The event that gives control back to an agent with heartbeats.
pub fn heartbeat(reason: &str, at: Time, zone: &str) -> String {
    pretty(&json!({
        "type": "heartbeat",
        "reason": format!("[This is an automated system message hidden from the user] {reason}"),
        "time": time(at, zone),
    }))
}

/// The event that tells a new agent that somebody is there.
pub fn login(at: Time, zone: &str) -> String {
    pretty(&json!({ "type": "login", "last_login": "Never (first login)", "time": time(at, zone) }))
}

/// What stands for messages that left the context.
pub fn summary(text: &str, at: Time, zone: &str) -> String {
    pretty(&json!({ "type": "system_alert", "message": text, "time": time(at, zone) }))
}

/// Whether a user message is one of the events above and not somebody's words.
pub fn is_hidden(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Tagged {
        r#type: String,
    }
    if !text.starts_with('{') {
        return false;
    }
    serde_json::from_str::<Tagged>(text)
        .is_ok_and(|t| matches!(t.r#type.as_str(), "heartbeat" | "login" | "system_alert"))
}

/// A tool's result, cut to what the tool may return, counted in characters.
pub fn clip_return(text: String, limit: i32) -> String {
    let limit = usize::try_from(limit).unwrap_or(0);
    if limit == 0 || text.len() <= limit {
        return text;
    }
    let len = text.chars().count();
    if len <= limit {
        return text;
    }
    let kept: String = text.chars().take(limit).collect();
    format!("{kept}... [NOTE: function output was truncated since it exceeded the character limit: {len} > {limit}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_have_the_layout_of_the_wire() {
        let at = "2026-11-21T19:39:41Z".parse::<Time>().unwrap();
        insta::assert_snapshot!(time(at, "UTC"), @"2026-11-21 07:39:41 PM UTC+0000");
        insta::assert_snapshot!(time(at, "Europe/Berlin"), @"2026-11-21 08:39:41 PM CET+0100");
        insta::assert_snapshot!(heartbeat("x", at, "UTC"), @r#"
        {
          "type": "heartbeat",
          "reason": "[This is an automated system message hidden from the user] x",
          "time": "2026-11-21 07:39:41 PM UTC+0000"
        }
        "#);
        insta::assert_snapshot!(user_message("hi \"you\"", None, at, "UTC"), @r#"
        {
          "type": "user_message",
          "message": "hi \"you\"",
          "time": "2026-11-21 07:39:41 PM UTC+0000"
        }
        "#);
        assert!(user_message("hi", Some("Sam"), at, "UTC").ends_with("\n  \"name\": \"Sam\"\n}"));
        assert_eq!(sent(at, "UTC"), "[Sent at 2026-11-21 07:39:41 PM UTC+0000]");
        for text in ["hi", "", "two\nlines", "{\"type\": 1}", "[Sent at noon]"] {
            assert_eq!(words(&user_message(text, Some("Sam"), at, "UTC")), text);
            assert_eq!(words(&format!("{text}\n{}", sent(at, "UTC"))), text);
        }
        assert!(!is_hidden(&user_message("hi", None, at, "UTC")));
        assert!(is_hidden(&heartbeat("x", at, "UTC")));
        assert!(!is_hidden("{\"type\": 1}"));
        assert!(!is_hidden("hi"));
    }

    #[test]
    fn long_results_are_cut_by_characters_and_say_so() {
        assert_eq!(clip_return("ääää".into(), 4), "ääää");
        assert_eq!(
            clip_return("ääää".into(), 3),
            "äää... [NOTE: function output was truncated since it exceeded the character limit: 4 > 3]"
        );
    }
}
