//! A conversation in the shape that a model takes: without what was refused, and in turns where it must be.

use std::sync::Arc;

use engram_core::{chain::Chain, ports::llm::ChatMessage};
use engram_domain::{
    Part,
    message::{ImageSource, parts_text},
};

use crate::{
    embed,
    learnt::{Learnt, Roles},
};

/// What the model is shown in the place of something refused.
const REFUSED_TEXT: &str =
    "[This text is not shown: the content filter of the model's provider refused it. Say so if that matters.]";
const REFUSED_IMAGE: &str =
    "[An image was here. It is not shown: the model or its provider refused it. Say so if that matters.]";
/// What is said where somebody must have spoken.
const SOMEBODY: &str = "(The conversation goes on.)";

/// The messages as the model takes them. Shares what needs no change.
pub(super) fn shaped(messages: &Chain<ChatMessage>, learnt: &Learnt) -> Chain<ChatMessage> {
    if learnt.refused.is_empty() && learnt.roles == Roles::Any {
        return messages.clone();
    }
    let shown = messages.shared().map(|message| without_refused(message, learnt));
    match learnt.roles {
        Roles::Any => shown.collect(),
        roles => in_turns(shown, roles).into_iter().collect(),
    }
}

/// The hash of what a message tells the model in words, if somebody else than the model or we ourselves said it.
pub(super) fn hash_of_text(message: &ChatMessage) -> Option<u64> {
    match message {
        ChatMessage::User { parts, .. } => {
            let text = parts_text(parts);
            (!text.is_empty()).then(|| embed::hash(text.as_bytes()))
        }
        ChatMessage::Tool { text, .. } => Some(embed::hash(text.as_bytes())),
        ChatMessage::System(_) | ChatMessage::Assistant { .. } => None,
    }
}

/// The hash of a picture.
pub(super) fn hash_of_image(source: &ImageSource) -> u64 {
    let what = match source {
        ImageSource::Url { url } => url,
        ImageSource::Base64 { data, .. } => data,
        ImageSource::Letta { file_id, data, .. } => data.as_ref().unwrap_or(file_id),
    };
    embed::hash(what.as_bytes())
}

/// The pictures of a message.
pub(super) fn images(message: &ChatMessage) -> impl Iterator<Item = &ImageSource> {
    let parts = match message {
        ChatMessage::User { parts, .. } => parts.as_slice(),
        _ => &[],
    };
    parts.iter().filter_map(|part| match part {
        Part::Image { source } => Some(source),
        Part::Text { .. } => None,
    })
}

fn without_refused(message: &Arc<ChatMessage>, learnt: &Learnt) -> Arc<ChatMessage> {
    let refused = |hash: u64| learnt.refused.contains(&hash);
    let text = hash_of_text(message).is_some_and(refused);
    if !text && !images(message).any(|source| refused(hash_of_image(source))) {
        return Arc::clone(message);
    }
    let shown = match &**message {
        ChatMessage::User { parts, name } => {
            let note = text.then(|| Part::text(REFUSED_TEXT));
            let kept = parts.iter().filter_map(|part| match part {
                Part::Text { .. } => (!text).then(|| part.clone()),
                Part::Image { source } if refused(hash_of_image(source)) => Some(Part::text(REFUSED_IMAGE)),
                Part::Image { .. } => Some(part.clone()),
            });
            ChatMessage::User { parts: note.into_iter().chain(kept).collect(), name: name.clone() }
        }
        ChatMessage::Tool { call_id, name, .. } => {
            ChatMessage::Tool { call_id: call_id.clone(), name: name.clone(), text: REFUSED_TEXT.into() }
        }
        other => other.clone(),
    };
    Arc::new(shown)
}

/// User and assistant in turns: neighbours of one role are one message, system messages but the first are said by the
/// user. Some templates do not count calls and their results, so that words after a result are the second of the user in
/// a row: an empty phrase of the assistant stands between.
fn in_turns(messages: impl Iterator<Item = Arc<ChatMessage>>, roles: Roles) -> Vec<Arc<ChatMessage>> {
    let mut out: Vec<Arc<ChatMessage>> = Vec::new();
    for message in messages {
        let message = match &*message {
            ChatMessage::System(text) if !out.is_empty() => {
                Arc::new(user(format!("<system-message>\n{text}\n</system-message>")))
            }
            ChatMessage::System(text) if roles == Roles::InTurnsWithoutSystem => Arc::new(user(text.clone())),
            _ => message,
        };
        match (out.last().map(|m| &**m), &*message) {
            (Some(ChatMessage::User { parts: first, name }), ChatMessage::User { parts: second, name: other }) => {
                let name = name.clone().filter(|_| name == other);
                let joined = ChatMessage::User { parts: [first.as_slice(), second].concat(), name };
                out.pop();
                out.push(Arc::new(joined));
                continue;
            }
            (
                Some(ChatMessage::Assistant { reasoning: first, text, calls }),
                ChatMessage::Assistant { reasoning, text: more, calls: then },
            ) if calls.is_empty() => {
                let texts: Vec<&str> = [text, more].into_iter().flatten().map(String::as_str).collect();
                let joined = ChatMessage::Assistant {
                    reasoning: [first.as_slice(), reasoning].concat(),
                    text: (!texts.is_empty()).then(|| texts.join("\n")),
                    calls: then.clone(),
                };
                out.pop();
                out.push(Arc::new(joined));
                continue;
            }
            (Some(ChatMessage::Tool { .. }), ChatMessage::User { .. }) => out.push(Arc::new(ChatMessage::Assistant {
                reasoning: vec![],
                text: Some("Done.".into()),
                calls: vec![],
            })),
            (None | Some(ChatMessage::System(_)), ChatMessage::Assistant { .. }) => {
                out.push(Arc::new(user(SOMEBODY.into())));
            }
            _ => {}
        }
        out.push(message);
    }
    out
}

fn user(text: String) -> ChatMessage {
    ChatMessage::User { parts: vec![Part::text(text)], name: None }
}

#[cfg(test)]
mod tests {
    use engram_domain::ToolCall;

    use super::*;

    fn says(text: &str) -> ChatMessage {
        ChatMessage::Assistant { reasoning: vec![], text: Some(text.into()), calls: vec![] }
    }

    fn calls() -> ChatMessage {
        let call = ToolCall { id: "c".into(), name: "f".into(), arguments: "{}".into() };
        ChatMessage::Assistant { reasoning: vec![], text: None, calls: vec![call] }
    }

    fn result() -> ChatMessage {
        ChatMessage::Tool { call_id: "c".into(), name: "f".into(), text: "ok".into() }
    }

    fn shown(messages: Vec<ChatMessage>, roles: Roles) -> Vec<String> {
        let learnt = Learnt { roles, ..Learnt::default() };
        let line = |m: &ChatMessage| match m {
            ChatMessage::System(text) => format!("system: {text}"),
            ChatMessage::User { parts, .. } => format!("user: {}", parts_text(parts).replace('\n', "/")),
            ChatMessage::Assistant { text, calls, .. } => {
                format!("assistant: {} {}", text.as_deref().unwrap_or_default(), calls.len())
            }
            ChatMessage::Tool { text, .. } => format!("tool: {text}"),
        };
        shaped(&messages.into_iter().collect(), &learnt).iter().map(line).collect()
    }

    #[test]
    fn roles_take_turns_whatever_came() {
        let system = || ChatMessage::System("s".into());
        let messages = vec![
            system(),
            calls(),
            result(),
            user("a".into()),
            user("b".into()),
            system(),
            says("c"),
            says("d"),
            calls(),
            result(),
        ];
        assert_eq!(
            shown(messages.clone(), Roles::InTurns),
            [
                "system: s",
                "user: (The conversation goes on.)",
                "assistant:  1",
                "tool: ok",
                "assistant: Done. 0",
                "user: a/b/<system-message>/s/</system-message>",
                "assistant: c/d 1".replace('/', "\n").as_str(),
                "tool: ok",
            ]
        );
        let without = shown(messages.clone(), Roles::InTurnsWithoutSystem);
        assert_eq!(without[..2], ["user: s", "assistant:  1"]);
        assert_eq!(shown(messages, Roles::Any).len(), 10);
    }
}
