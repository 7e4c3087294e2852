//! The types that answers and pieces of answers are read into. Everything may be missing.

use engram_domain::{Json, Usage};
use serde::Deserialize;

use super::words::{Arguments, Words};

/// A whole answer, or one event of a streamed one.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    #[serde(default)]
    pub(super) choices: Option<Vec<Choice>>,
    pub(super) usage: Option<WireUsage>,
    /// Groq's place for the usage of a streamed answer.
    pub(super) x_groq: Option<Groq>,
    pub(super) error: Option<Json>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Groq {
    pub(super) usage: Option<WireUsage>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    /// Whole.
    pub(super) message: Option<Said>,
    /// In pieces.
    pub(super) delta: Option<Said>,
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    pub(super) content: Words,
    pub(super) refusal: Words,
    pub(super) reasoning_content: Words,
    pub(super) reasoning: Words,
    pub(super) tool_calls: Option<Vec<CallPiece>>,
}

/// A call or a piece of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CallPiece {
    pub(super) index: Option<usize>,
    pub(super) id: Option<String>,
    pub(super) function: Option<FunctionPiece>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FunctionPiece {
    pub(super) name: Option<String>,
    pub(super) arguments: Arguments,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(super) struct WireUsage {
    prompt_tokens: Option<i64>,
    completion_tokens: Option<i64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's name for cached tokens.
    prompt_cache_hit_tokens: Option<i64>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Option<i64>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Option<i64>,
}

/// No answer has more: what a server says beyond it would only make sums overflow.
const MOST_TOKENS: i64 = 1 << 40;

impl From<WireUsage> for Usage {
    fn from(u: WireUsage) -> Self {
        let count = |tokens: Option<i64>| tokens.unwrap_or_default().clamp(0, MOST_TOKENS);
        Self {
            prompt_tokens: count(u.prompt_tokens),
            completion_tokens: count(u.completion_tokens),
            cached_input_tokens: count(
                u.prompt_tokens_details.and_then(|d| d.cached_tokens).or(u.prompt_cache_hit_tokens),
            ),
            cache_write_tokens: 0,
            reasoning_tokens: count(u.completion_tokens_details.and_then(|d| d.reasoning_tokens)),
        }
    }
}
