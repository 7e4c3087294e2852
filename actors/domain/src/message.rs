//! A message of a conversation and the versioned content it is stored with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AgentId, ConversationId, Json, JsonMap, MessageId, RunId, StepId, Time};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The compiled prompt, or an instruction that the caller injected.
    System,
    /// The other side: a person, a program, an event.
    User,
    /// The model.
    Assistant,
    /// The result of one tool call.
    Tool,
    /// A tool call that waits for the client, or the client's word on it.
    Approval,
    /// Stands for messages that compaction took out of the context.
    Summary,
}

impl Role {
    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
            Self::Approval => "approval",
            Self::Summary => "summary",
        }
    }

    /// The role with this spelling.
    pub fn parse(s: &str) -> Option<Self> {
        [Self::System, Self::User, Self::Assistant, Self::Tool, Self::Approval, Self::Summary]
            .into_iter()
            .find(|v| v.as_str() == s)
    }
}

/// Where an image is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ImageSource {
    /// Somewhere on the web; the provider fetches it.
    Url {
        /// Its address.
        url: String,
    },
    /// Here.
    Base64 {
        /// Its media type, as `image/png`.
        media_type: String,
        /// Its bytes, base64.
        data: String,
        /// How closely the model should look.
        #[serde(default)]
        detail: Option<String>,
    },
    /// In a file of the server.
    Letta {
        /// The file's id.
        file_id: String,
        /// Its media type.
        #[serde(default)]
        media_type: Option<String>,
        /// Its bytes, base64.
        #[serde(default)]
        data: Option<String>,
        /// How closely the model should look.
        #[serde(default)]
        detail: Option<String>,
    },
}

/// A piece of what a person or program says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Words.
    Text {
        /// The words.
        text: String,
    },
    /// A picture.
    Image {
        /// Where it is.
        source: ImageSource,
    },
}

impl Part {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }
}

impl Part {
    /// Bytes of the words, or of the picture.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Text { text } => text.len(),
            Self::Image { source: ImageSource::Url { url } } => url.len(),
            Self::Image { source: ImageSource::Base64 { data, .. } } => data.len(),
            Self::Image { source: ImageSource::Letta { data, .. } } => len(data.as_ref()),
        }
    }
}

fn len(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}

/// The words among the parts, joined by line breaks.
pub fn parts_text(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        if let Part::Text { text } = part {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(text);
        }
    }
    out
}

/// What the model thought before it spoke.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reasoning {
    /// Readable thoughts.
    Text {
        /// The thoughts.
        text: String,
        /// Whether a reasoning model produced them itself (`reasoner_model`), or they came as an
        /// argument or as text beside a tool call (`non_reasoner_model`).
        native: bool,
        /// The provider's proof of them.
        #[serde(default)]
        signature: Option<String>,
    },
    /// Thoughts that the provider keeps to itself.
    Redacted {
        /// Its opaque form.
        data: String,
    },
    /// What a provider sent along with its answer and wants back as it came: signatures, encrypted thoughts. Nobody is
    /// shown it, and no other provider gets it.
    Vendor {
        /// The provider.
        endpoint: String,
        /// Members of the message.
        #[serde(default)]
        message: JsonMap,
        /// Members of its calls, by their ids.
        #[serde(default)]
        calls: BTreeMap<String, JsonMap>,
    },
}

/// A call of a tool by the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The id that pairs it with its result.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Arguments as JSON text, as the model wrote them, less the thoughts. May be malformed.
    pub arguments: String,
}

/// Whether a tool call worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolStatus {
    /// It did.
    Success,
    /// It did not.
    Error,
}

/// The result of one tool call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolReturn {
    /// The call it answers.
    pub tool_call_id: String,
    /// The tool.
    pub name: String,
    /// Whether it worked.
    pub status: ToolStatus,
    /// What it returned, as text.
    pub text: String,
    /// What it printed.
    #[serde(default)]
    pub stdout: Vec<String>,
    /// What it complained of.
    #[serde(default)]
    pub stderr: Vec<String>,
}

/// Bytes of what goes back to a provider as it came.
pub fn vendor_bytes(message: &JsonMap, calls: &BTreeMap<String, JsonMap>) -> usize {
    let members = [message].into_iter().chain(calls.values()).flat_map(|members| members.values());
    members.map(|value| value.to_string().len()).sum()
}

/// What a message holds. Stored as JSONB under a version, `{"v":1,…}`; a later shape gets a new
/// number and a reader for the old one, never a changed meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// What a person or program says, or a system prompt.
    Parts {
        /// The pieces.
        parts: Vec<Part>,
    },
    /// What the model says and does.
    Assistant {
        /// Its thoughts, in order, before everything else.
        #[serde(default)]
        reasoning: Vec<Reasoning>,
        /// Plain words.
        #[serde(default)]
        text: Option<String>,
        /// Calls. With role `approval` they wait for the client.
        #[serde(default)]
        calls: Vec<ToolCall>,
    },
    /// The result of one call.
    ToolReturn(ToolReturn),
    /// The client's word on pending calls. Shown to the client, not to the model, which sees the
    /// results.
    Decisions {
        /// The message that held the calls.
        request_id: Option<MessageId>,
        /// One word a call.
        decisions: Vec<crate::run::Decision>,
    },
    /// Stands for messages that are no longer in context.
    Summary {
        /// What they said.
        text: String,
        /// How many they were, and what it saved.
        #[serde(default)]
        stats: Json,
    },
}

impl Content {
    /// One text part.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Parts { parts: vec![Part::text(text)] }
    }

    /// Tool calls in it.
    pub fn calls(&self) -> &[ToolCall] {
        match self {
            Self::Assistant { calls, .. } => calls,
            _ => &[],
        }
    }

    /// Bytes of everything in it, pictures among it.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Parts { parts } => parts.iter().map(Part::bytes).sum(),
            Self::Assistant { reasoning, text, calls } => {
                let thoughts = reasoning.iter().map(|thought| match thought {
                    Reasoning::Text { text, signature, .. } => text.len() + len(signature.as_ref()),
                    Reasoning::Redacted { data } => data.len(),
                    Reasoning::Vendor { message, calls, .. } => vendor_bytes(message, calls),
                });
                let calls = calls.iter().map(|call| call.id.len() + call.name.len() + call.arguments.len());
                thoughts.chain(calls).sum::<usize>() + len(text.as_ref())
            }
            Self::ToolReturn(r) => r.text.len() + r.stdout.iter().chain(&r.stderr).map(String::len).sum::<usize>(),
            Self::Decisions { decisions, .. } => decisions.iter().map(crate::run::Decision::bytes).sum(),
            Self::Summary { text, .. } => text.len(),
        }
    }

    /// Everything in it that is words, for search and for summaries. Not the reasoning.
    pub fn plain_text(&self) -> String {
        match self {
            Self::Parts { parts } => parts_text(parts),
            Self::Assistant { text, calls, .. } => {
                let mut out = text.clone().unwrap_or_default();
                for call in calls {
                    if !out.is_empty() {
                        out.push('\n');
                    }
                    out.push_str(&call.arguments);
                }
                out
            }
            Self::ToolReturn(r) => r.text.clone(),
            Self::Decisions { .. } => String::new(),
            Self::Summary { text, .. } => text.clone(),
        }
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The conversation it is in.
    pub conversation_id: ConversationId,
    /// The agent whose conversation that is.
    pub agent_id: AgentId,
    /// Its place in the conversation, from 0, without gaps.
    pub seq: i64,
    /// Who speaks.
    pub role: Role,
    /// What it holds.
    pub content: Content,
    /// Name of the speaker, or of the tool.
    pub name: Option<String>,
    /// The caller's own id for it.
    pub otid: Option<String>,
    /// Who sent it, when it was an agent or an identity.
    pub sender_id: Option<String>,
    /// Group it was sent in.
    pub group_id: Option<String>,
    /// The step it came from.
    pub step_id: Option<StepId>,
    /// The run it came from.
    pub run_id: Option<RunId>,
    /// The model that wrote it.
    pub model: Option<String>,
    /// Tokens it takes in a prompt, counted when it was made.
    pub tokens: i32,
    /// Whether it reports a failure.
    pub is_err: bool,
    /// When it was made.
    pub created_at: Time,
}

impl Message {
    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.content.bytes()
    }
}
