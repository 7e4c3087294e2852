//! From a stored message to the objects of the API.

use engram_core::package;
use engram_domain::{Content, Json, Message, MessageId, Part, Role, ToolCall, message::Reasoning, run::Decision};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::letta::{
    ApprovalDto, Body, LettaMessage, ToolCallDto, ToolCalls, ToolReturnDto, lines, message_date, tool_status,
};

/// How the caller wants messages shown. Kept with a run as its `request_config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Whether a call of the tool that speaks is shown as the words it says.
    pub use_assistant_message: bool,
    /// The tool that speaks.
    pub assistant_message_tool_name: String,
    /// Its argument that holds the words.
    pub assistant_message_tool_kwarg: String,
    /// Only messages of these types; all when absent or empty.
    pub include_return_message_types: Option<Vec<String>>,
    /// Whether compactions are shown as what they are instead of as the event that the model sees.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub include_compaction_messages: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            use_assistant_message: true,
            assistant_message_tool_name: "send_message".into(),
            assistant_message_tool_kwarg: "message".into(),
            include_return_message_types: None,
            include_compaction_messages: false,
        }
    }
}

impl Options {
    /// What a caller says, in a query or in a body; the rest is as it is by default.
    pub fn of_request(
        use_assistant_message: Option<bool>,
        assistant_message_tool_name: Option<&String>,
        assistant_message_tool_kwarg: Option<&String>,
        include_return_message_types: Option<&Vec<String>>,
        include_compaction_messages: Option<bool>,
    ) -> Self {
        let default = Self::default();
        Self {
            use_assistant_message: use_assistant_message.unwrap_or(default.use_assistant_message),
            assistant_message_tool_name: assistant_message_tool_name
                .cloned()
                .unwrap_or(default.assistant_message_tool_name),
            assistant_message_tool_kwarg: assistant_message_tool_kwarg
                .cloned()
                .unwrap_or(default.assistant_message_tool_kwarg),
            include_return_message_types: include_return_message_types.cloned(),
            include_compaction_messages: include_compaction_messages.unwrap_or_default(),
        }
    }

    /// The options that a run was started with.
    pub fn of_run(config: &Json) -> Self {
        Self::deserialize(config).unwrap_or_default()
    }

    /// Whether the caller wants messages of this type.
    pub fn wants(&self, kind: &str) -> bool {
        self.include_return_message_types
            .as_ref()
            .is_none_or(|kinds| kinds.is_empty() || kinds.iter().any(|k| k == kind))
    }

    /// Whether a call of this tool is shown as words.
    pub fn speaks(&self, tool: &str) -> bool {
        self.use_assistant_message && tool == self.assistant_message_tool_name
    }
}

/// Which part of a stored message an object shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Readable thoughts.
    Reasoning,
    /// Plain words.
    Text,
    /// The call at this place.
    Call(usize),
    /// Anything else.
    Whole,
}

/// An object, and what it shows.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Which part.
    pub slot: Slot,
    /// The object.
    pub message: LettaMessage,
}

/// The `otid` of the object at this place: the message's UUID with its lowest seven bits replaced.
pub fn otid(id: MessageId, index: usize) -> String {
    let index = u128::try_from(index).unwrap_or(0) & 0x7f;
    Uuid::from_u128((id.0.as_u128() & !0x7f) | index).to_string()
}

/// The objects of several stored messages, in order, without the types that the caller does not want.
pub fn letta_messages<'a>(messages: impl IntoIterator<Item = &'a Message>, options: &Options) -> Vec<LettaMessage> {
    messages
        .into_iter()
        .flat_map(|m| pieces_of(m, options))
        .map(|piece| piece.message)
        .filter(|m| options.wants(m.body.kind()))
        .collect()
}

/// The objects of a stored message, in order, of all types.
pub fn pieces_of(message: &Message, options: &Options) -> Vec<Piece> {
    let mut out = Pieces { message, pieces: Vec::new() };
    match &message.content {
        Content::Parts { parts } => out.parts(parts),
        Content::Assistant { reasoning, text, calls } => {
            for thought in reasoning {
                out.reasoning(thought);
            }
            if let Some(text) = text {
                out.push(Slot::Text, Body::AssistantMessage { content: text.clone() });
            }
            if message.role == Role::Approval {
                out.approval_request(calls);
            } else {
                calls.iter().enumerate().for_each(|(i, call)| out.call(i, call, options));
            }
        }
        Content::ToolReturn(result) => {
            if !options.speaks(&result.name) {
                let (status, stdout, stderr) =
                    (tool_status(result.status), lines(&result.stdout), lines(&result.stderr));
                let whole = ToolReturnDto {
                    kind: "tool",
                    tool_return: result.text.clone(),
                    status,
                    tool_call_id: result.tool_call_id.clone(),
                    stdout: stdout.clone(),
                    stderr: stderr.clone(),
                };
                let index = out.push(
                    Slot::Whole,
                    Body::ToolReturnMessage {
                        tool_return: result.text.clone(),
                        status,
                        tool_call_id: result.tool_call_id.clone(),
                        stdout,
                        stderr,
                        tool_returns: vec![whole],
                    },
                );
                out.pieces[index].message.name = Some(result.name.clone());
            }
        }
        Content::Decisions { request_id, decisions } => out.approval_response(*request_id, decisions),
        Content::Summary { text, stats } => out.summary(text, stats, options),
    }
    out.pieces
}

struct Pieces<'a> {
    message: &'a Message,
    pieces: Vec<Piece>,
}

impl Pieces<'_> {
    /// Adds an object and returns its place.
    fn push(&mut self, slot: Slot, body: Body) -> usize {
        let m = self.message;
        let index = self.pieces.len();
        // What the caller sent keeps the caller's id; the rest gets one that can be computed again.
        let otid = match (&m.content, &m.otid) {
            (_, Some(own)) if index == 0 => Some(own.clone()),
            (Content::Parts { .. }, None) if m.role != Role::Assistant => None,
            _ => Some(otid(m.id, index)),
        };
        let message = LettaMessage {
            id: m.id.to_string(),
            date: message_date(m.created_at),
            name: match body {
                Body::UserMessage { .. } | Body::SystemMessage { .. } => m.name.clone(),
                // Of several agents one must know which it was.
                _ if m.group_id.is_some() => m.name.clone(),
                _ => None,
            },
            otid,
            sender_id: m.sender_id.clone(),
            step_id: m.step_id.map(|id| id.to_string()),
            is_err: m.is_err.then_some(true),
            seq_id: None,
            run_id: m.run_id.map(|id| id.to_string()),
            body,
        };
        self.pieces.push(Piece { slot, message });
        index
    }

    fn parts(&mut self, parts: &[Part]) {
        let words = engram_domain::message::parts_text(parts);
        let body = match self.message.role {
            Role::System => Body::SystemMessage { content: words },
            Role::Assistant => Body::AssistantMessage { content: words },
            _ => Body::UserMessage {
                content: match parts {
                    [Part::Text { text }] => json!(text),
                    [] => json!(""),
                    parts => json!(parts),
                },
            },
        };
        self.push(Slot::Whole, body);
    }

    fn reasoning(&mut self, reasoning: &Reasoning) {
        let (slot, body) = match reasoning {
            Reasoning::Text { text, native, signature } => (
                Slot::Reasoning,
                Body::ReasoningMessage {
                    source: if *native { "reasoner_model" } else { "non_reasoner_model" },
                    reasoning: text.clone(),
                    signature: signature.clone(),
                },
            ),
            Reasoning::Redacted { data } => {
                (Slot::Whole, Body::HiddenReasoningMessage { state: "redacted", hidden_reasoning: Some(data.clone()) })
            }
            // Between us and the provider.
            Reasoning::Vendor { .. } => return,
        };
        self.push(slot, body);
    }

    fn call(&mut self, index: usize, call: &ToolCall, options: &Options) {
        let body = options
            .speaks(&call.name)
            .then(|| spoken(&call.arguments, &options.assistant_message_tool_kwarg))
            .flatten()
            .map_or_else(
                || Body::ToolCallMessage { tool_call: whole(call), tool_calls: ToolCalls::Whole(vec![whole(call)]) },
                |content| Body::AssistantMessage { content },
            );
        self.push(Slot::Call(index), body);
    }

    fn approval_request(&mut self, calls: &[ToolCall]) {
        let Some(first) = calls.first() else { return };
        let tool_calls = ToolCalls::Whole(calls.iter().map(whole).collect());
        let index = self.push(Slot::Whole, Body::ApprovalRequestMessage { tool_call: whole(first), tool_calls });
        self.pieces[index].message.otid = Some(self.message.id.to_string());
    }

    fn approval_response(&mut self, request: Option<MessageId>, decisions: &[Decision]) {
        let first = decisions.iter().find_map(|d| match d {
            Decision::Approval { approve, reason, .. } => Some((*approve, reason.clone())),
            Decision::Return { .. } => None,
        });
        let approvals = decisions
            .iter()
            .map(|d| match d {
                Decision::Approval { tool_call_id, approve, reason } => ApprovalDto::Approval {
                    tool_call_id: tool_call_id.clone(),
                    approve: *approve,
                    reason: reason.clone(),
                },
                Decision::Return { tool_call_id, text, ok, stdout, stderr } => ApprovalDto::Tool {
                    tool_call_id: tool_call_id.clone(),
                    tool_return: text.clone(),
                    status: if *ok { "success" } else { "error" },
                    stdout: lines(stdout),
                    stderr: lines(stderr),
                },
            })
            .collect();
        let (approve, reason) = first.map_or((None, None), |(approve, reason)| (Some(approve), reason));
        let approval_request_id = request.map(|id| id.to_string());
        self.push(Slot::Whole, Body::ApprovalResponseMessage { approvals, approve, approval_request_id, reason });
    }

    fn summary(&mut self, text: &str, stats: &Json, options: &Options) {
        let body = if options.include_compaction_messages {
            Body::SummaryMessage { summary: text.to_owned(), compaction_stats: stats.clone() }
        } else {
            Body::UserMessage { content: json!(package::summary(text, self.message.created_at, "UTC")) }
        };
        self.push(Slot::Whole, body);
    }
}

fn whole(call: &ToolCall) -> ToolCallDto {
    ToolCallDto {
        name: Some(call.name.clone()),
        arguments: Some(call.arguments.clone()),
        tool_call_id: call.id.clone(),
    }
}

/// The words in the arguments of the tool that speaks; none when they cannot be read.
fn spoken(arguments: &str, kwarg: &str) -> Option<String> {
    match serde_json::from_str::<Json>(arguments).ok()?.get(kwarg)? {
        Json::String(text) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
#[path = "pieces_tests.rs"]
mod tests;
