//! Messages as the API wants them, written while they are borrowed.

use std::{borrow::Cow, sync::LazyLock};

use engram_core::{chain::Chain, ports::llm::ChatMessage};
use engram_domain::{
    JsonMap, Part, ToolCall,
    message::{ImageSource, Reasoning, parts_text},
};
use serde::{Serialize, Serializer, de::IgnoredAny, ser::SerializeMap};

use super::{clean, lessons::VENDOR, vendor};
use crate::learnt::{Learnt, Thoughts};

/// A conversation.
pub(super) struct Messages<'a> {
    pub(super) all: &'a Chain<ChatMessage>,
    /// The provider that gets them.
    pub(super) endpoint: &'a str,
    /// Whether native thoughts go back with the calls they led to.
    pub(super) thoughts_back: bool,
    /// What its model is known to take.
    pub(super) learnt: &'a Learnt,
}

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.all.iter().map(|m| self.wire(m)))
    }
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum Wire<'a> {
    System {
        content: &'a str,
    },
    User {
        content: UserContent<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<Cow<'a, str>>,
    },
    Assistant {
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_content: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
        /// What came with it from this provider.
        #[serde(flatten)]
        vendor: Option<&'a JsonMap>,
    },
    Tool {
        tool_call_id: Cow<'a, str>,
        content: &'a str,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum UserContent<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<WirePart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WirePart<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: Image<'a> },
}

struct Image<'a>(&'a ImageSource);

#[derive(Serialize)]
struct Call<'a> {
    id: Cow<'a, str>,
    r#type: &'static str,
    function: Function<'a>,
    /// What came with it from this provider.
    #[serde(flatten)]
    vendor: Option<&'a JsonMap>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: Cow<'a, str>,
    arguments: Cow<'a, str>,
}

impl<'a> Messages<'a> {
    fn wire(&self, message: &'a ChatMessage) -> Wire<'a> {
        match message {
            ChatMessage::System(text) => Wire::System { content: text },
            ChatMessage::User { parts, name } => {
                let name = name.as_deref().filter(|_| self.takes("name"));
                Wire::User { content: user_content(parts), name: name.map(clean::name) }
            }
            ChatMessage::Assistant { reasoning, text, calls } => {
                let came = vendor::of(self.endpoint, reasoning).filter(|_| self.takes(VENDOR));
                let (vendor, of_calls) = came.unzip();
                let of_call = |(i, call): (usize, &'a ToolCall)| {
                    let came = of_calls.and_then(|all| all.get(&call.id));
                    let placeholder = (i == 0 && self.learnt.placeholder_signatures).then(|| &*PLACEHOLDER);
                    wire_call(call, came.or(placeholder))
                };
                Wire::Assistant {
                    // Null is refused where there are no calls.
                    content: text.as_deref().or(calls.is_empty().then_some("")),
                    reasoning_content: self.thoughts("reasoning_content", reasoning, calls),
                    reasoning: self.thoughts("reasoning", reasoning, calls),
                    tool_calls: calls.iter().enumerate().map(of_call).collect(),
                    vendor,
                }
            }
            ChatMessage::Tool { call_id, name: _, text } => {
                Wire::Tool { tool_call_id: clean::call_id(call_id), content: text }
            }
        }
    }
}

impl Messages<'_> {
    fn takes(&self, member: &str) -> bool {
        !self.learnt.left_out.contains(member)
    }

    /// A reasoning model's own thoughts, as far as they go back under this name.
    fn thoughts(&self, name: &str, reasoning: &[Reasoning], calls: &[ToolCall]) -> Option<String> {
        let (back, learnt) = match self.learnt.thoughts {
            Thoughts::Usual => (self.thoughts_back && name == "reasoning_content" && !calls.is_empty(), false),
            Thoughts::WithCalls(under) => (under == name && !calls.is_empty(), true),
            Thoughts::All(under) => (under == name, true),
        };
        if !back || !self.takes(name) {
            return None;
        }
        let texts = reasoning.iter().filter_map(|r| match r {
            Reasoning::Text { text, native: true, .. } => Some(text.as_str()),
            _ => None,
        });
        let thoughts = texts.collect::<Vec<_>>().join("\n");
        // Who asks for thoughts takes none for missing; another model may have made the call.
        Some(if learnt && thoughts.is_empty() { " ".into() } else { thoughts })
    }
}

/// What Google's documentation says to send with a call that came without a signature, as from another model.
static PLACEHOLDER: LazyLock<JsonMap> = LazyLock::new(|| {
    let signature = serde_json::json!({ "google": { "thought_signature": "skip_thought_signature_validator" } });
    JsonMap::from_iter([("extra_content".to_owned(), signature)])
});

fn wire_call<'a>(call: &'a ToolCall, vendor: Option<&'a JsonMap>) -> Call<'a> {
    Call {
        id: clean::call_id(&call.id),
        r#type: "function",
        function: Function { name: clean::name(&call.name), arguments: arguments(&call.arguments) },
        vendor,
    }
}

/// Many servers parse the arguments of past calls and fail on malformed ones, which would brick an
/// agent whose model once wrote some: those travel as a text inside an object.
fn arguments(text: &str) -> Cow<'_, str> {
    if text.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok() {
        Cow::Borrowed(text)
    } else if text.trim_ascii().is_empty() {
        Cow::Borrowed("{}")
    } else {
        Cow::Owned(serde_json::json!({ "malformed_arguments": text }).to_string())
    }
}

fn user_content(parts: &[Part]) -> UserContent<'_> {
    match parts {
        [Part::Text { text }] => UserContent::Text(Cow::Borrowed(text)),
        // One text rather than a list of them: not every server takes lists.
        _ if parts.iter().all(|p| matches!(p, Part::Text { .. })) => UserContent::Text(Cow::Owned(parts_text(parts))),
        _ => UserContent::Parts(parts.iter().map(part).collect()),
    }
}

fn part(part: &Part) -> WirePart<'_> {
    match part {
        Part::Text { text } => WirePart::Text { text: Cow::Borrowed(text) },
        Part::Image { source: ImageSource::Letta { file_id, data: None, .. } } => {
            WirePart::Text { text: Cow::Owned(format!("[image {file_id} is not available]")) }
        }
        Part::Image { source } => WirePart::ImageUrl { image_url: Image(source) },
    }
}

impl Serialize for Image<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        let detail = match self.0 {
            ImageSource::Url { url } => {
                map.serialize_entry("url", url)?;
                None
            }
            ImageSource::Base64 { media_type, data, detail } => {
                map.serialize_entry("url", &DataUrl(media_type, data))?;
                detail.as_ref()
            }
            ImageSource::Letta { media_type, data, detail, .. } => {
                let media_type = media_type.as_deref().unwrap_or("image/png");
                map.serialize_entry("url", &DataUrl(media_type, data.as_deref().unwrap_or_default()))?;
                detail.as_ref()
            }
        };
        if let Some(detail) = detail {
            map.serialize_entry("detail", detail)?;
        }
        map.end()
    }
}

/// Media type and base64 data, written without putting megabytes together first.
struct DataUrl<'a>(&'a str, &'a str);

impl Serialize for DataUrl<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("data:{};base64,{}", self.0, self.1))
    }
}
