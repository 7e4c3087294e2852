//! How messages are packaged for the model: small JSON documents, two spaces of indent, the keys in
//! a fixed order. Programs written for the old server look for these texts, so their layout is part
//! of the wire.

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
