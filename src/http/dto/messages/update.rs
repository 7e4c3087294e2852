//! What callers change about a message.

use engram_domain::{Content, Json, Message, message::Reasoning};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{LettaMessage, Options, letta_messages, request::parts};
use crate::http::error::ApiError;

/// What the message says from now on. `message_type` tells which part of a stored message is meant.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct MessageUpdate {
    /// `system_message`, `user_message`, `assistant_message` or `reasoning_message`.
    pub message_type: Option<String>,
    /// A text, or for user messages a list of parts.
    #[schema(value_type = Option<Object>)]
    pub content: Option<Json>,
    /// Thoughts.
    pub reasoning: Option<String>,
}

impl MessageUpdate {
    /// The message's content with the change in it.
    pub fn content(&self, message: &Message) -> Result<Content, ApiError> {
        changed(message, self)
    }

    /// The part of a changed message that was meant.
    pub fn shown(&self, message: &Message) -> Result<LettaMessage, ApiError> {
        let wanted = self.message_type.as_deref();
        let mut shown = letta_messages([message], &Options::default());
        let index = shown.iter().position(|m| wanted.is_none_or(|kind| m.body.kind() == kind)).unwrap_or(0);
        if shown.is_empty() {
            return Err(ApiError::internal("an edited message has nothing to show"));
        }
        Ok(shown.swap_remove(index))
    }
}

fn changed(message: &Message, update: &MessageUpdate) -> Result<Content, ApiError> {
    let text = |content: &Json| {
        content
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| ApiError::invalid(&["body", "content"], "expected a text", Json::Null))
    };
    let missing = |member: &str| ApiError::invalid(&["body", member], "Field required", Json::Null);
    match (&message.content, update.message_type.as_deref()) {
        (Content::Parts { .. }, None | Some("user_message" | "system_message" | "assistant_message")) => {
            let content = update.content.as_ref().ok_or_else(|| missing("content"))?;
            Ok(Content::Parts { parts: parts(&["body", "content"], content)? })
        }
        (Content::Assistant { reasoning, text: words, calls }, None | Some("assistant_message")) => {
            let said = text(update.content.as_ref().ok_or_else(|| missing("content"))?)?;
            let options = Options::default();
            let mut calls = calls.clone();
            // What an agent says through a tool stands in the arguments of that tool.
            if let Some(call) = calls.iter_mut().find(|c| options.speaks(&c.name)) {
                let mut arguments =
                    serde_json::from_str::<serde_json::Map<String, Json>>(&call.arguments).unwrap_or_default();
                arguments.insert(options.assistant_message_tool_kwarg, json!(said));
                call.arguments = Json::Object(arguments).to_string();
                return Ok(Content::Assistant { reasoning: reasoning.clone(), text: words.clone(), calls });
            }
            Ok(Content::Assistant { reasoning: reasoning.clone(), text: Some(said), calls })
        }
        (Content::Assistant { reasoning, text, calls }, Some("reasoning_message")) => {
            let thought = update.reasoning.clone().ok_or_else(|| missing("reasoning"))?;
            let thought = Reasoning::Text { text: thought, native: false, signature: None };
            // What the provider must get back with the calls stays.
            let kept = reasoning.iter().filter(|r| matches!(r, Reasoning::Vendor { .. })).cloned();
            let reasoning = [thought].into_iter().chain(kept).collect();
            Ok(Content::Assistant { reasoning, text: text.clone(), calls: calls.clone() })
        }
        (_, kind) => {
            let expected = "expected a type that this message has: `user_message`, `system_message`, `assistant_message` or \
                            `reasoning_message`";
            Err(ApiError::invalid(&["body", "message_type"], expected, json!(kind)))
        }
    }
}
