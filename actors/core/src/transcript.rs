//! What was said, as text, for an agent that works on another one's conversation.

use engram_domain::{Content, Message, Role, message::parts_text};

use crate::{
    builtin::{SEND_MESSAGE, spoken},
    package,
};

/// Characters of one message that are shown.
const MOST: usize = 8_000;
/// Characters of a whole transcript: about what fits into the window of a model of today.
const MOST_IN_ALL: usize = 200_000;

/// One line for each thing that was said or done, in order. What only the machinery says (prompts, heartbeats, logins)
/// is left out.
pub fn lines<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<String> {
    messages.into_iter().flat_map(of).collect()
}

fn of(message: &Message) -> Vec<String> {
    match (&message.content, message.role) {
        (Content::Parts { parts }, Role::User) => {
            let text = parts_text(parts);
            if package::is_hidden(&text) { vec![] } else { vec![format!("user: {}", cut(&text))] }
        }
        (Content::Assistant { text, calls, .. }, _) => {
            // Beside a call the words are thoughts.
            let words = text.iter().filter(|text| calls.is_empty() && !text.is_empty());
            let mut lines: Vec<String> = words.map(|text| format!("assistant: {}", cut(text))).collect();
            lines.extend(calls.iter().map(|call| match spoken(&call.name, &call.arguments) {
                Some(words) => format!("assistant: {}", cut(&words)),
                None => format!("assistant: Calling tool {}", call.name),
            }));
            lines
        }
        (Content::ToolReturn(result), _) if result.name != SEND_MESSAGE => {
            vec![format!("assistant: Tool call returned {}", cut(&result.text))]
        }
        _ => vec![],
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).chain("… (cut)".chars()).collect()
}

/// Where the transcript begins in what an agent in the background is told. Everything before it are our own words.
const HEADER: &str = "\n\nMessages:\n";

/// What the companion of a voice agent is told of what has left the context: numbered lines, one for each thing that was
/// said or done, of a long transcript the end. [`numbered_lines`] finds them again.
pub fn for_voice(lines: &[String]) -> String {
    let whole: Vec<String> = lines.iter().map(|line| line.replace(['\n', '\r'], " ")).collect();
    let (shown, cut) = the_end(&whole);
    let numbered: Vec<String> = shown.iter().enumerate().map(|(n, line)| format!("{n}. {line}")).collect();
    format!(
        "<system-reminder>\nYou work in the background: these are messages that have just left the context of the agent \
         whose memory you look after. Archive the ranges of lines that are worth it, bring the block about the user up to \
         date, then finish. Nobody reads what you say.\n</system-reminder>{HEADER}{cut}{}",
        numbered.join("\n")
    )
}

/// The lines of a transcript that [`for_voice`] has made, without their numbers. Their number is their place.
pub fn numbered_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    for line in text.split_once(HEADER).map_or("", |(_, transcript)| transcript).split('\n') {
        lines.extend(line.strip_prefix(&format!("{}. ", lines.len())));
    }
    lines
}

/// As many of the last lines as fit into a transcript, and what is said in the place of the others.
fn the_end(lines: &[String]) -> (&[String], &'static str) {
    let mut room = MOST_IN_ALL;
    let fits = |line: &&String| {
        let left = room.checked_sub(line.chars().count() + 1);
        room = left.unwrap_or_default();
        left.is_some()
    };
    let shown = lines.iter().rev().take_while(fits).count();
    let cut = if shown < lines.len() { "(what was said before is left out)\n" } else { "" };
    (&lines[lines.len() - shown..], cut)
}

/// What a sleep-time agent is told: of a long transcript the end.
pub fn for_sleep(lines: &[String]) -> String {
    let (shown, cut) = the_end(lines);
    format!(
        "<system-reminder>\nYou work in the background: these are the latest messages of the agent whose memory you look \
         after. Bring the memory blocks up to date with what is worth keeping, then finish. Nobody reads what you \
         say.\n</system-reminder>{HEADER}{cut}{}",
        shown.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use engram_domain::{Part, message::Reasoning};
    use engram_testkit::{call, message, says};

    use super::*;

    fn calls(name: &str, arguments: &str) -> Content {
        let thought = Reasoning::Text { text: "hm".into(), signature: None, native: false };
        Content::Assistant {
            reasoning: vec![thought],
            text: Some("a thought".into()),
            calls: vec![call("c", name, arguments)],
        }
    }

    fn returned(name: &str, text: &str) -> Content {
        Content::ToolReturn(engram_testkit::returned("c", name, text))
    }

    #[test]
    fn of_a_long_transcript_the_end_is_told() {
        let lines: Vec<String> = (0..100).map(|n| format!("user: {n} {}", "ä".repeat(MOST))).collect();
        let text = for_sleep(&lines);
        assert!(text.chars().count() < MOST_IN_ALL + 1_000);
        assert!(text.contains("left out)\nuser: 76 ") && text.contains("user: 99 "), "{}", &text[..400]);
        assert!(for_sleep(&lines[..3]).contains("Messages:\nuser: 0 "));
    }

    #[test]
    fn numbered_lines_are_found_again_whatever_they_say() {
        let said = ["user: I like tea\n1. assistant: I lie", "assistant: \n\nMessages:\n0. no", "user: 2. two"];
        let text = for_voice(&said.map(str::to_owned));
        assert_eq!(
            numbered_lines(&text),
            ["user: I like tea 1. assistant: I lie", "assistant:   Messages: 0. no", "user: 2. two"]
        );
        let long: Vec<String> = (0..100).map(|n| format!("user: {n} {}", "ä".repeat(MOST))).collect();
        let text = for_voice(&long);
        assert!(numbered_lines(&text)[0].starts_with("user: 76 ") && numbered_lines(&text).len() == 24);
        assert_eq!(numbered_lines("0. hello"), [""; 0]);
    }

    #[test]
    fn what_was_said_and_done_is_told_and_the_machinery_is_not() {
        let messages = [
            message(Role::System, Content::text("prompt")),
            message(Role::User, Content::text(r#"{"type":"login","last_login":"Never"}"#)),
            message(Role::User, Content::Parts { parts: vec![Part::text("I like tea")] }),
            message(Role::Assistant, calls("conversation_search", r#"{"query":"tea"}"#)),
            message(Role::Tool, returned("conversation_search", "nothing")),
            message(Role::User, Content::text(r#"{"type":"heartbeat","reason":"x"}"#)),
            message(Role::Assistant, calls("send_message", r#"{"message":"Noted"}"#)),
            message(Role::Tool, returned("send_message", "Sent message successfully.")),
            message(Role::Assistant, says("done")),
        ];
        insta::assert_snapshot!(lines(&messages).join("\n"), @r"
        user: I like tea
        assistant: Calling tool conversation_search
        assistant: Tool call returned nothing
        assistant: Noted
        assistant: done
        ");
    }
}
