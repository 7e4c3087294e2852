//! What a client of chat completions sends.

use engram_domain::{AgentId, Json, Part, Role, message::ImageSource, run::InputMessage};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    app::limits,
    http::{dto::images, error::ApiError},
};

/// A request for a chat completion. Whatever else OpenAI's API knows is accepted and ignored: the agent has its
/// own model, settings and tools.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = ChatCompletionRequest)]
pub struct ChatRequest {
    /// The agent's id, where the path does not say it.
    #[serde(default)]
    pub model: Option<String>,
    /// The conversation as the caller sees it. The agent has its own history: it is told the last message of the
    /// user and the system messages after it; or, where the user has not spoken since the assistant did, the
    /// system messages since then.
    pub messages: Vec<ChatMessage>,
    /// Whether to answer in chunks.
    #[serde(default)]
    pub stream: Option<bool>,
    /// How.
    #[serde(default)]
    pub stream_options: Option<StreamOptions>,
}

/// How the chunks come.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = ChatStreamOptions)]
pub struct StreamOptions {
    /// Whether a last chunk has the token usage.
    pub include_usage: Option<bool>,
}

/// One message of the conversation.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = ChatMessage)]
pub struct ChatMessage {
    /// `user`, `system`, `developer`, `assistant`, `tool` or `function`.
    pub role: String,
    /// A text, or a list of parts of type `text` or `image_url`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub content: Option<Json>,
    /// Name of the speaker.
    #[serde(default)]
    pub name: Option<String>,
}

impl ChatRequest {
    /// Whether a last chunk has the token usage.
    pub fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().and_then(|o| o.include_usage).unwrap_or_default()
    }

    /// The agent that `model` names: its id, in whatever case, with or without `agent-`, behind any prefix that
    /// ends with a slash (as `letta/agent-…`, which routers of models like to add). None for another name.
    pub fn agent(&self) -> Option<AgentId> {
        let name = self.model.as_deref()?.rsplit('/').next()?.trim().to_ascii_lowercase();
        let id = if name.starts_with("agent-") { name } else { format!("agent-{name}") };
        id.parse().ok()
    }

    /// What the agent has not heard.
    pub fn unheard(&self) -> Result<Vec<InputMessage>, ApiError> {
        let heard = self.messages.iter().rposition(ChatMessage::is_answer).map_or(0, |at| at + 1);
        let news = &self.messages[heard..];
        let begin = match news.iter().rposition(|m| m.role == "user") {
            Some(at) => at,
            // A prompt at the very beginning is for models that have none; the agent has its own.
            None if heard == 0 && news.len() > 1 => 1,
            None => 0,
        };
        let mut unheard = Vec::new();
        for (index, message) in self.messages.iter().enumerate().skip(heard + begin) {
            unheard.extend(message.input(index)?);
        }
        limits::at_most(&["messages"], "messages", unheard.len(), limits::MESSAGES)?;
        if unheard.is_empty() {
            let text = "expected a message of the user that the assistant has not answered";
            return Err(ApiError::invalid(&["body", "messages"], text, Json::Null));
        }
        Ok(unheard)
    }
}

impl ChatMessage {
    fn is_answer(&self) -> bool {
        matches!(self.role.as_str(), "assistant" | "tool" | "function")
    }

    /// As a message to the agent; none when it says nothing. `index` is its place in the request.
    fn input(&self, index: usize) -> Result<Option<InputMessage>, ApiError> {
        let index = index.to_string();
        let wrong = |rest: &[&str], text: &str, input: Json| {
            let loc: Vec<&str> = ["body", "messages", index.as_str()].into_iter().chain(rest.iter().copied()).collect();
            ApiError::invalid(&loc, text, input)
        };
        let role = match self.role.as_str() {
            "user" => Role::User,
            "system" | "developer" => Role::System,
            other => {
                let text = "expected `user`, `system`, `developer`, `assistant`, `tool` or `function`";
                return Err(wrong(&["role"], text, json!(other)));
            }
        };
        let content = match &self.content {
            Some(Json::String(text)) if text.is_empty() && role == Role::System => vec![],
            Some(Json::String(text)) => vec![Part::text(text)],
            Some(Json::Array(list)) => {
                let mut parts = Vec::with_capacity(list.len());
                for (at, item) in list.iter().enumerate() {
                    let text = "expected a part of type `text` or `image_url`";
                    let refuse = || wrong(&["content", &at.to_string()], text, item["type"].clone());
                    parts.push(match part(item).ok_or_else(refuse)? {
                        Part::Image { source } => {
                            let loc = ["content", &at.to_string(), "image_url"];
                            let source = images::checked(source).map_err(|why| wrong(&loc, &why, Json::Null))?;
                            Part::Image { source }
                        }
                        part @ Part::Text { .. } => part,
                    });
                }
                parts
            }
            None | Some(Json::Null) if role == Role::System => vec![],
            _ => return Err(wrong(&["content"], "expected a text or a list of content parts", Json::Null)),
        };
        let name = self.name.clone();
        let message = InputMessage { role, content, name, otid: None, sender_id: None, group_id: None };
        Ok((!message.content.is_empty()).then_some(message))
    }
}

fn part(part: &Json) -> Option<Part> {
    match part.get("type")?.as_str()? {
        "text" => Some(Part::text(part.get("text")?.as_str()?)),
        "image_url" => {
            let image = part.get("image_url")?;
            let url = image.as_str().or_else(|| image.get("url")?.as_str())?;
            let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
            let source = match inline {
                Some((media_type, data)) => {
                    ImageSource::Base64 { media_type: media_type.to_owned(), data: data.to_owned(), detail: None }
                }
                None => ImageSource::Url { url: url.to_owned() },
            };
            Some(Part::Image { source })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use engram_domain::message::parts_text;

    use super::*;

    fn request(messages: &Json) -> ChatRequest {
        serde_json::from_value(json!({ "messages": messages })).expect("the outer shape is right")
    }

    fn unheard(messages: &str) -> String {
        let messages: Vec<Json> = messages
            .split_whitespace()
            .map(|m| m.split_once(':').map(|(role, text)| json!({ "role": role, "content": text })).unwrap_or_default())
            .collect();
        match request(&Json::from(messages)).unheard() {
            Ok(said) => {
                said.iter().map(|m| format!("{:?}:{}", m.role, parts_text(&m.content))).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.body()["detail"][0]["loc"].to_string(),
        }
    }

    #[test]
    fn the_agent_is_told_what_it_has_not_heard() {
        assert_eq!(unheard("user:a"), "User:a");
        assert_eq!(unheard("system:you-are-x user:a"), "User:a");
        assert_eq!(unheard("system:s user:a assistant:b user:c system:be-brief"), "User:c System:be-brief");
        // The first of the two was sent with an earlier request, which was interrupted.
        assert_eq!(unheard("user:a assistant:b user:c user:d"), "User:d");
        assert_eq!(unheard("user:a assistant:b system:go-on developer:now"), "System:go-on System:now");
        assert_eq!(unheard("system:you-are-x system:greet"), "System:greet");
        assert_eq!(unheard("system:greet"), "System:greet");
        assert_eq!(unheard("system: user:a"), "User:a");
    }

    #[test]
    fn nothing_to_say_is_refused_and_what_is_wrong_is_named() {
        assert_eq!(unheard(""), r#"["body","messages"]"#);
        assert_eq!(unheard("user:a assistant:b"), r#"["body","messages"]"#);
        assert_eq!(unheard("user:a tool:b"), r#"["body","messages"]"#);
        assert_eq!(unheard("system:"), r#"["body","messages"]"#);
        assert_eq!(unheard("user:a wizard:b"), r#"["body","messages",1,"role"]"#);
        let loc = |content: Json| {
            let error = request(&json!([{"role": "user", "content": content}])).unheard().expect_err("it is wrong");
            error.body()["detail"][0]["loc"].to_string()
        };
        assert_eq!(loc(json!(null)), r#"["body","messages",0,"content"]"#);
        assert_eq!(loc(json!(7)), r#"["body","messages",0,"content"]"#);
        assert_eq!(loc(json!([{"type": "input_audio"}])), r#"["body","messages",0,"content",0]"#);
    }

    #[test]
    fn words_and_pictures() {
        let content = json!([
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        ]);
        let said = request(&json!([{"role": "user", "content": content, "name": "Ann"}])).unheard().expect("valid");
        insta::assert_json_snapshot!(said, @r#"
        [
          {
            "role": "user",
            "content": [
              {
                "type": "text",
                "text": "look"
              },
              {
                "type": "image",
                "source": {
                  "type": "base64",
                  "media_type": "image/png",
                  "data": "AAAA",
                  "detail": null
                }
              },
              {
                "type": "image",
                "source": {
                  "type": "url",
                  "url": "https://example.com/a.png"
                }
              }
            ],
            "name": "Ann",
            "otid": null,
            "sender_id": null,
            "group_id": null
          }
        ]
        "#);
    }

    #[test]
    fn the_model_is_the_agent() {
        let agent = |model: &str| {
            let request = ChatRequest { model: Some(model.into()), ..request(&json!([])) };
            request.agent().map(|id| id.to_string())
        };
        let id = "agent-123e4567-e89b-42d3-8456-426614174000";
        for name in [id, &id.to_uppercase(), "123e4567-e89b-42d3-8456-426614174000", &format!("letta/{id}")] {
            assert_eq!(agent(name).as_deref(), Some(id), "{name}");
        }
        assert_eq!((agent("gpt-4o"), agent("")), (None, None));
    }
}
