//! What a client of chat completions gets.

use engram_domain::{Json, RunId, StopReason, Time, Usage};
use serde::Serialize;
use utoipa::ToSchema;

/// What all chunks of an answer, and the whole answer, have in common.
#[derive(Debug, Clone)]
pub struct Head {
    /// The run that answers.
    pub run: RunId,
    /// When it began.
    pub at: Time,
    /// The `model` that was asked for, or the agent's id.
    pub model: String,
}

impl Head {
    fn id(&self) -> String {
        format!("chatcmpl-{}", self.run)
    }
}

/// A whole answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChatCompletion)]
pub struct Completion {
    /// `chatcmpl-` and the run.
    pub id: String,
    /// `chat.completion`.
    pub object: &'static str,
    /// Seconds since 1970.
    pub created: i64,
    /// As it was asked for.
    pub model: String,
    /// One.
    pub choices: Vec<Choice>,
    /// Token usage.
    pub usage: TokenUsage,
    /// Always `null`.
    pub service_tier: Option<String>,
    /// Always `null`.
    pub system_fingerprint: Option<String>,
}

/// The answer in a whole answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChatCompletionChoice)]
pub struct Choice {
    /// 0.
    pub index: u32,
    /// What the assistant says.
    pub message: Spoken,
    /// Why it ended: `stop` or `length`.
    pub finish_reason: &'static str,
    /// Always `null`.
    #[schema(value_type = Option<Object>)]
    pub logprobs: Option<Json>,
}

/// What the assistant says.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChatCompletionMessage)]
pub struct Spoken {
    /// `assistant`.
    pub role: &'static str,
    /// Its text; `null` when it said nothing.
    pub content: Option<String>,
    /// Always `null`.
    pub refusal: Option<String>,
}

/// A piece of an answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChatCompletionChunk)]
pub struct Chunk {
    /// The same in all of them.
    pub id: String,
    /// One; none in the chunk with the usage.
    pub choices: Vec<ChunkChoice>,
    /// Seconds since 1970.
    pub created: i64,
    /// As it was asked for.
    pub model: String,
    /// `chat.completion.chunk`.
    pub object: &'static str,
    /// Always `null`.
    pub service_tier: Option<String>,
    /// Always `null`.
    pub system_fingerprint: Option<String>,
    /// What the answer took, in the last chunk and if it was asked for.
    pub usage: Option<TokenUsage>,
}

/// The piece in a chunk.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChatCompletionChunkChoice)]
pub struct ChunkChoice {
    /// What is new.
    pub delta: Delta,
    /// Why it ended, in the chunk after the last words.
    pub finish_reason: Option<&'static str>,
    /// 0.
    pub index: u32,
    /// Always `null`.
    #[schema(value_type = Option<Object>)]
    pub logprobs: Option<Json>,
}

/// What is new in a chunk.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[schema(as = ChatCompletionDelta)]
pub struct Delta {
    /// The next words.
    pub content: Option<String>,
    /// Always `null`.
    #[schema(value_type = Option<Object>)]
    pub function_call: Option<Json>,
    /// Always `null`.
    pub refusal: Option<String>,
    /// `assistant`, in the first chunk.
    pub role: Option<&'static str>,
    /// Always `null`: what the agent does with its tools is its own business.
    #[schema(value_type = Option<Vec<Object>>)]
    pub tool_calls: Option<Json>,
}

/// Token usage of an answer, the sum of all model calls of the run.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = ChatCompletionUsage)]
pub struct TokenUsage {
    /// Read.
    pub prompt_tokens: i64,
    /// Written.
    pub completion_tokens: i64,
    /// Both.
    pub total_tokens: i64,
    /// Of those read.
    pub prompt_tokens_details: PromptDetails,
    /// Of those written.
    pub completion_tokens_details: CompletionDetails,
}

/// Of the tokens that were read.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = ChatCompletionPromptDetails)]
pub struct PromptDetails {
    /// Served from the provider's cache.
    pub cached_tokens: i64,
}

/// Of the tokens that were written.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = ChatCompletionCompletionDetails)]
pub struct CompletionDetails {
    /// Spent on reasoning.
    pub reasoning_tokens: i64,
}

impl From<Usage> for TokenUsage {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.total(),
            prompt_tokens_details: PromptDetails { cached_tokens: usage.cached_input_tokens },
            completion_tokens_details: CompletionDetails { reasoning_tokens: usage.reasoning_tokens },
        }
    }
}

/// Why an answer ended, in the words of this API: it has none for most of our reasons.
pub fn finish_reason(reason: StopReason) -> &'static str {
    match reason {
        StopReason::MaxSteps | StopReason::MaxTokensExceeded => "length",
        // Of a run without an error: a filter has cut the answer.
        StopReason::LlmApiError => "content_filter",
        _ => "stop",
    }
}

impl Completion {
    /// A whole answer.
    pub fn new(head: &Head, words: String, reason: StopReason, usage: Usage) -> Self {
        let content = (!words.is_empty()).then_some(words);
        let message = Spoken { role: "assistant", content, refusal: None };
        Self {
            id: head.id(),
            object: "chat.completion",
            created: head.at.timestamp(),
            model: head.model.clone(),
            choices: vec![Choice { index: 0, message, finish_reason: finish_reason(reason), logprobs: None }],
            usage: usage.into(),
            service_tier: None,
            system_fingerprint: None,
        }
    }
}

impl Chunk {
    /// The next words; `first` tells who speaks.
    pub fn words(head: &Head, words: String, first: bool) -> Self {
        let delta = Delta { content: Some(words), role: first.then_some("assistant"), ..Delta::default() };
        Self::new(head, vec![ChunkChoice { delta, finish_reason: None, index: 0, logprobs: None }], None)
    }

    /// The end of the words.
    pub fn end(head: &Head, reason: StopReason) -> Self {
        let finish_reason = Some(finish_reason(reason));
        Self::new(head, vec![ChunkChoice { delta: Delta::default(), finish_reason, index: 0, logprobs: None }], None)
    }

    /// What the answer took.
    pub fn usage(head: &Head, usage: Usage) -> Self {
        Self::new(head, vec![], Some(usage.into()))
    }

    fn new(head: &Head, choices: Vec<ChunkChoice>, usage: Option<TokenUsage>) -> Self {
        Self {
            id: head.id(),
            choices,
            created: head.at.timestamp(),
            model: head.model.clone(),
            object: "chat.completion.chunk",
            service_tier: None,
            system_fingerprint: None,
            usage,
        }
    }
}
