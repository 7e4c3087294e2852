//! Models for tests: functions of the request, so that a crash changes nothing about them.

use engram_core::ports::{
    ChatReply, ChatRequest, LlmError,
    llm::{ChatMessage, Purpose},
};
use engram_domain::{ToolCall, Usage};

/// What the model does in its n-th answer to the last words of somebody.
#[derive(Debug, Clone)]
pub enum Move {
    Say(String),
    Call(Vec<(String, String)>),
    Nothing,
}

/// A model that makes the moves one after the other, counted from the last words of somebody, and
/// then says "done".
pub fn moves(list: Vec<Move>) -> impl Fn(&ChatRequest) -> Result<ChatReply, LlmError> {
    move |request| {
        let usage = Usage { prompt_tokens: 10, completion_tokens: 5, ..Usage::default() };
        let reply = ChatReply { usage, ..ChatReply::default() };
        if request.purpose == Purpose::Summarization {
            return Ok(ChatReply { text: Some("They talked.".into()), ..reply });
        }
        let answers = request
            .messages
            .iter()
            .rev()
            .take_while(|m| !is_words(m))
            .filter(|m| matches!(m, ChatMessage::Assistant { .. }))
            .count();
        let total = request.messages.len();
        Ok(match list.get(answers) {
            Some(Move::Say(text)) => say(request, text, reply, total),
            Some(Move::Call(calls)) => ChatReply {
                calls: calls
                    .iter()
                    .enumerate()
                    .map(|(i, (name, arguments))| ToolCall {
                        id: format!("call_{total}_{i}"),
                        name: name.clone(),
                        arguments: arguments.clone(),
                    })
                    .collect(),
                ..reply
            },
            Some(Move::Nothing) => reply,
            None => say(request, "done", reply, total),
        })
    }
}

fn say(request: &ChatRequest, text: &str, reply: ChatReply, total: usize) -> ChatReply {
    if request.tools.iter().any(|t| t.name == "send_message") {
        let arguments = serde_json::json!({"message": text}).to_string();
        let call = ToolCall { id: format!("call_{total}_s"), name: "send_message".into(), arguments };
        return ChatReply { calls: vec![call], ..reply };
    }
    ChatReply { text: Some(text.into()), ..reply }
}

fn is_words(message: &ChatMessage) -> bool {
    match message {
        ChatMessage::User { parts, .. } => !engram_core::package::is_hidden(&engram_domain::message::parts_text(parts)),
        _ => false,
    }
}
