//! Calling a model.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use engram_domain::{Json, LlmConfig, Part, RunErrorKind, ToolCall, Usage, message::Reasoning};
use tokio_util::sync::CancellationToken;

use crate::chain::Chain;

/// One message as a model sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatMessage {
    /// Instructions.
    System(String),
    /// The other side.
    User {
        /// What it says.
        parts: Vec<Part>,
        /// Its name.
        name: Option<String>,
    },
    /// What the model said before.
    Assistant {
        /// Its thoughts; providers that need them back get them, the others do not.
        reasoning: Vec<Reasoning>,
        /// Plain words.
        text: Option<String>,
        /// Calls it made.
        calls: Vec<ToolCall>,
    },
    /// The result of a call.
    Tool {
        /// The call.
        call_id: String,
        /// The tool.
        name: String,
        /// The result, packaged.
        text: String,
    },
}

/// A tool as a model is shown it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSchema {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON schema of its arguments.
    pub parameters: Json,
}

/// Whether the model must call a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// Some tool.
    Required,
    /// This tool.
    Named(String),
}

/// What a request is for. Providers treat both alike; the scripted model does not obey orders that
/// stand in a transcript it is asked to summarize.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The next step of an agent.
    AgentStep,
    /// A summary of messages that leave the context.
    Summarization,
}

/// A request to a model. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// The model and its settings.
    pub config: Arc<LlmConfig>,
    /// What it is for.
    pub purpose: Purpose,
    /// The conversation.
    pub messages: Chain<ChatMessage>,
    /// Tokens of the prompt, tools included, as we count them: the provider's own count may differ by some per
    /// cent.
    pub tokens: usize,
    /// The tools it may call.
    pub tools: Arc<[Arc<ToolSchema>]>,
    /// Whether it must.
    pub tool_choice: ToolChoice,
    /// Shape of the answer.
    pub response_format: Option<Json>,
    /// Whether to ask the provider to stream.
    pub stream: bool,
}

/// A piece of an answer, as it arrives.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delta {
    /// Plain words.
    Text(String),
    /// Thoughts of a reasoning model.
    Reasoning(String),
    /// A call begins.
    CallStart {
        /// Its place among the calls of the answer.
        index: usize,
        /// Its id.
        id: String,
        /// The tool.
        name: String,
    },
    /// Its arguments go on.
    CallArgs {
        /// Its place among the calls of the answer.
        index: usize,
        /// The next piece of the JSON text.
        piece: String,
    },
}

impl Delta {
    /// Bytes of what it says.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Reasoning(text) | Self::CallArgs { piece: text, .. } => text.len(),
            Self::CallStart { id, name, .. } => id.len() + name.len(),
        }
    }
}

/// Where pieces go. Called from the task that reads the provider's stream; must not block.
pub type DeltaSink = Arc<dyn Fn(Delta) + Send + Sync>;

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ending {
    /// The model was done.
    #[default]
    Whole,
    /// It was cut at `max_tokens`, or where the window ended.
    Length,
    /// A content filter of the provider stopped it.
    Filter,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChatReply {
    /// Thoughts.
    pub reasoning: Vec<Reasoning>,
    /// Plain words; none rather than empty.
    pub text: Option<String>,
    /// Calls, with ids that are unique in the answer and never empty.
    pub calls: Vec<ToolCall>,
    /// Whether the model said all that it wanted to say.
    pub ending: Ending,
    /// What the provider counted; zeros when it did not say.
    pub usage: Usage,
    /// The provider's own answer, for the trace.
    pub raw: Option<Json>,
}

/// What kind of failure, which decides what the agent does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LlmErrorKind {
    /// The request was refused as wrong.
    BadRequest,
    /// The request was refused with words that say nothing of why: it may be too large.
    Unexplained,
    /// The key was refused.
    Authentication,
    /// No credit.
    InsufficientCredits,
    /// Too many requests, still after the retries.
    RateLimit,
    /// The prompt is larger than the model's window.
    ContextOverflow,
    /// No answer in time.
    Timeout,
    /// No such model or provider.
    UnknownModel,
    /// The answer was not what the protocol says: HTML, a stream that broke off, no choice.
    InvalidResponse,
    /// The provider failed or could not be reached.
    Server,
    /// The caller cancelled.
    Cancelled,
}

impl LlmErrorKind {
    /// Its spelling in metrics, which are finer than the API's `error.type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unexplained => "unexplained",
            Self::Authentication => "authentication",
            Self::InsufficientCredits => "insufficient_credits",
            Self::RateLimit => "rate_limit",
            Self::ContextOverflow => "context_overflow",
            Self::Timeout => "timeout",
            Self::UnknownModel => "unknown_model",
            Self::InvalidResponse => "invalid_response",
            Self::Server => "server",
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<LlmErrorKind> for RunErrorKind {
    /// What a run that ends with such a failure says.
    fn from(kind: LlmErrorKind) -> Self {
        use LlmErrorKind as K;
        match kind {
            K::BadRequest | K::Unexplained | K::ContextOverflow | K::UnknownModel => Self::LlmBadRequest,
            K::Authentication => Self::LlmAuthentication,
            K::InsufficientCredits => Self::LlmInsufficientCredits,
            K::RateLimit => Self::LlmRateLimit,
            K::Timeout => Self::LlmTimeout,
            K::InvalidResponse | K::Server | K::Cancelled => Self::LlmError,
        }
    }
}

/// A failed call. The text is fit for the caller's eyes: no key, no header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LlmError {
    /// What kind.
    pub kind: LlmErrorKind,
    /// What happened, with the provider's own words where it said some (cut to 2,000 characters).
    pub message: String,
    /// When the provider wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl LlmError {
    /// A failure without a wish for when to come back.
    pub fn new(kind: LlmErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }
}

/// Calls models.
#[async_trait]
pub trait Llm: Send + Sync + 'static {
    /// Sends a request and reads the whole answer; pieces go to `sink` as they arrive when
    /// `request.stream`. When `cancel` fires the connection is closed and the call returns
    /// [`LlmErrorKind::Cancelled`] at once; dropping the future does the same.
    ///
    /// The implementation owns what belongs to its protocol: retries, the time to connect, the longest silence inside
    /// a stream. How long the whole call may take, and how many run at once, is up to the caller (the engine).
    async fn chat(
        &self,
        request: ChatRequest,
        sink: Option<DeltaSink>,
        cancel: CancellationToken,
    ) -> Result<ChatReply, LlmError>;
}
