//! A step: one model call and what followed from it.

use serde::{Deserialize, Serialize};

use crate::{AgentId, ConversationId, Json, RunId, StepId, StopReason, Time, Usage};

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Not over.
    Pending,
    /// The model answered and the answer is committed.
    Success,
    /// It did not.
    Failed,
    /// Somebody cancelled the run.
    Cancelled,
}

impl StepStatus {
    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status with this spelling.
    pub fn parse(s: &str) -> Option<Self> {
        [Self::Pending, Self::Success, Self::Failed, Self::Cancelled].into_iter().find(|v| v.as_str() == s)
    }
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// The run it belongs to.
    pub run_id: RunId,
    /// The agent that took it.
    pub agent_id: AgentId,
    /// The conversation it was taken in.
    pub conversation_id: ConversationId,
    /// Provider name, the part of the handle before the slash.
    pub provider_name: String,
    /// Model name, the part after it.
    pub model: String,
    /// Both parts.
    pub model_handle: Option<String>,
    /// Where the model was called.
    pub model_endpoint: Option<String>,
    /// The window that was reckoned with, in tokens.
    pub context_window: i32,
    /// Tokens of the call.
    pub usage: Usage,
    /// Why the run ended, on its last step.
    pub stop_reason: Option<StopReason>,
    /// How it went.
    pub status: StepStatus,
    /// What went wrong.
    pub error: Option<String>,
    /// Feedback of a person: `positive` or `negative`.
    pub feedback: Option<String>,
    /// Tags that came with the feedback.
    pub tags: Vec<String>,
    /// The provider's answer as it came.
    pub response: Option<Json>,
    /// `seq` range `[from, to)` of the conversation that the request showed, for the trace.
    pub context_range: (i64, i64),
    /// Time of the model call, in nanoseconds.
    pub llm_ns: i64,
    /// Time of the tool calls, in nanoseconds.
    pub tool_ns: Option<i64>,
    /// Time of the whole step, in nanoseconds.
    pub step_ns: i64,
    /// When it began.
    pub created_at: Time,
}
