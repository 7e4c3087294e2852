//! The message objects of the API.

use engram_domain::{Json, Time, ToolStatus};
use serde::Serialize;
use utoipa::ToSchema;

/// One message as the API shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LettaMessage {
    /// Id of the stored message (`ping-…` for signs of life).
    pub id: String,
    /// When it was made, in whole seconds.
    pub date: String,
    /// Name of the speaker or of the tool.
    pub name: Option<String>,
    /// The caller's own id, or one derived from `id` and the place within the stored message.
    pub otid: Option<String>,
    /// Who sent it, when it was an agent or an identity.
    pub sender_id: Option<String>,
    /// The step it came from.
    pub step_id: Option<String>,
    /// `true` when it reports a failure, else `null`.
    pub is_err: Option<bool>,
    /// Place in a background stream.
    pub seq_id: Option<i64>,
    /// The run it came from.
    pub run_id: Option<String>,
    /// What kind it is, and what that kind holds.
    #[serde(flatten)]
    pub body: Body,
}

/// What kind of message it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "message_type", rename_all = "snake_case")]
pub enum Body {
    /// Instructions.
    SystemMessage {
        /// The text.
        content: String,
    },
    /// Somebody's words, or an event that the model sees as such.
    UserMessage {
        /// A text, or a list of parts.
        #[schema(value_type = Object)]
        content: Json,
    },
    /// The agent's words.
    AssistantMessage {
        /// The text.
        content: String,
    },
    /// The agent's thoughts.
    ReasoningMessage {
        /// `reasoner_model` or `non_reasoner_model`.
        source: &'static str,
        /// The thoughts.
        reasoning: String,
        /// The provider's proof of them.
        signature: Option<String>,
    },
    /// Thoughts that the provider keeps to itself.
    HiddenReasoningMessage {
        /// `redacted` or `omitted`.
        state: &'static str,
        /// Their opaque form.
        hidden_reasoning: Option<String>,
    },
    /// A call of a tool.
    ToolCallMessage {
        /// The call.
        tool_call: ToolCallDto,
        /// The same, as the 1.x clients read it.
        tool_calls: ToolCalls,
    },
    /// The result of a call.
    ToolReturnMessage {
        /// What the tool returned.
        tool_return: String,
        /// `success` or `error`.
        status: &'static str,
        /// The call.
        tool_call_id: String,
        /// What it wrote to standard output.
        stdout: Option<Vec<String>>,
        /// What it wrote to standard error.
        stderr: Option<Vec<String>>,
        /// The same, as the 1.x clients read it.
        tool_returns: Vec<ToolReturnDto>,
    },
    /// Calls that wait for the client's word.
    ApprovalRequestMessage {
        /// The first call.
        tool_call: ToolCallDto,
        /// All of them.
        tool_calls: ToolCalls,
    },
    /// The client's word.
    ApprovalResponseMessage {
        /// One word a call.
        approvals: Vec<ApprovalDto>,
        /// The first word.
        approve: Option<bool>,
        /// The message that held the calls.
        approval_request_id: Option<String>,
        /// Why not.
        reason: Option<String>,
    },
    /// Stands for messages that left the context.
    SummaryMessage {
        /// What they said.
        summary: String,
        /// What the compaction saved.
        #[schema(value_type = Object)]
        compaction_stats: Json,
    },
    /// A sign of life in a stream.
    Ping,
}

impl Body {
    /// The value of `message_type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SystemMessage { .. } => "system_message",
            Self::UserMessage { .. } => "user_message",
            Self::AssistantMessage { .. } => "assistant_message",
            Self::ReasoningMessage { .. } => "reasoning_message",
            Self::HiddenReasoningMessage { .. } => "hidden_reasoning_message",
            Self::ToolCallMessage { .. } => "tool_call_message",
            Self::ToolReturnMessage { .. } => "tool_return_message",
            Self::ApprovalRequestMessage { .. } => "approval_request_message",
            Self::ApprovalResponseMessage { .. } => "approval_response_message",
            Self::SummaryMessage { .. } => "summary_message",
            Self::Ping => "ping",
        }
    }
}

/// A call, or in token streams a piece of one.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ToolCallDto {
    /// The tool; only in the first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Arguments as JSON text, or the next piece of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    /// Pairs the call with its result. In every piece.
    pub tool_call_id: String,
}

/// A list in step mode, an object in token mode.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ToolCalls {
    /// Whole calls.
    Whole(Vec<ToolCallDto>),
    /// A piece of one.
    Piece(ToolCallDto),
}

/// The result of a call.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ToolReturnDto {
    /// `tool`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What the tool returned.
    pub tool_return: String,
    /// `success` or `error`.
    pub status: &'static str,
    /// The call.
    pub tool_call_id: String,
    /// What it wrote to standard output.
    pub stdout: Option<Vec<String>>,
    /// What it wrote to standard error.
    pub stderr: Option<Vec<String>>,
}

/// The client's decision about one tool call.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ApprovalDto {
    /// Run it, or do not.
    Approval {
        /// The call; `null` means every one that waited.
        tool_call_id: Option<String>,
        /// Whether to run it.
        approve: bool,
        /// Why not.
        reason: Option<String>,
    },
    /// The client ran it.
    Tool {
        /// The call.
        tool_call_id: String,
        /// What it returned.
        tool_return: String,
        /// `success` or `error`.
        status: &'static str,
        /// What it wrote to standard output.
        stdout: Option<Vec<String>>,
        /// What it wrote to standard error.
        stderr: Option<Vec<String>>,
    },
}

/// `LettaMessage.date`: whole seconds, with the zone as an offset.
pub fn message_date(at: Time) -> String {
    at.format("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// Other times: microseconds, `Z`.
pub fn timestamp(at: Time) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// The wire spelling of a tool's status.
pub fn tool_status(status: ToolStatus) -> &'static str {
    match status {
        ToolStatus::Success => "success",
        ToolStatus::Error => "error",
    }
}

/// Lines, or `null` where there are none.
pub fn lines(lines: &[String]) -> Option<Vec<String>> {
    (!lines.is_empty()).then(|| lines.to_vec())
}
