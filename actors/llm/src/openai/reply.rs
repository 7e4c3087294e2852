//! The types that answers and pieces of answers are read into. Everything may be missing.

use engram_domain::{Json, Usage};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::words::{Arguments, Words};

/// A whole answer, or one event of a streamed one.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) id: Option<Label>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) model: Option<Label>,
    #[serde(default, deserialize_with = "lenient_list")]
    pub(super) choices: Vec<Choice>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) usage: Option<WireUsage>,
    /// Groq's place for the usage of a streamed answer.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) x_groq: Option<Groq>,
    error: Option<Json>,
}

impl Chunk {
    /// What went wrong, if anything did: members that say nothing (`""`, `{}`, `false`) do occur in good answers.
    pub(super) fn error(&self) -> Option<&Json> {
        let of_choice = self.choices.first().and_then(|choice| choice.error.as_ref());
        [self.error.as_ref(), of_choice].into_iter().flatten().find(|error| match error {
            Json::Null | Json::Bool(_) | Json::Number(_) => false,
            Json::String(text) => !text.trim().is_empty(),
            Json::Array(list) => !list.is_empty(),
            Json::Object(map) => map.values().any(|value| !value.is_null()),
        })
    }
}

/// Side fields have odd forms in some answers, which are good all the same: a member that cannot be read is left out.
fn lenient<'de, D: Deserializer<'de>, T: Default + DeserializeOwned>(d: D) -> Result<T, D::Error> {
    Ok(T::deserialize(Json::deserialize(d)?).unwrap_or_default())
}

/// As [`lenient`], item by item.
fn lenient_list<'de, D: Deserializer<'de>, T: DeserializeOwned>(d: D) -> Result<Vec<T>, D::Error> {
    let items = lenient::<D, Vec<Json>>(d)?;
    Ok(items.into_iter().filter_map(|item| T::deserialize(item).ok()).collect())
}

/// An id or a name; some servers count where others name.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Json")]
pub(super) struct Label(pub(super) String);

impl From<Json> for Label {
    fn from(value: Json) -> Self {
        match value {
            Json::String(text) => Self(text),
            Json::Number(number) => Self(number.to_string()),
            _ => Self::default(),
        }
    }
}

/// A number: whole, with a fraction, or as text. Negative ones mean nothing.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(from = "Json")]
pub(super) struct Count(pub(super) Option<u32>);

impl From<Json> for Count {
    fn from(value: Json) -> Self {
        let number = match value {
            Json::Number(number) => number.as_f64(),
            Json::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        // In range, so the fraction is all that is lost.
        Self(number.filter(|n| (0.0..=f64::from(u32::MAX)).contains(n)).map(|n| n as u32))
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Groq {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) usage: Option<WireUsage>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    /// Whole.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) message: Option<Said>,
    /// In pieces.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) delta: Option<Said>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) finish_reason: Option<Label>,
    error: Option<Json>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    pub(super) content: Words,
    pub(super) refusal: Words,
    pub(super) reasoning_content: Words,
    pub(super) reasoning: Words,
    #[serde(deserialize_with = "lenient_list")]
    pub(super) tool_calls: Vec<CallPiece>,
    // What some servers want back as it came; see `vendor`.
    pub(super) reasoning_details: Json,
    pub(super) thinking_blocks: Json,
    pub(super) provider_specific_fields: Json,
    pub(super) extra_content: Json,
}

/// A call or a piece of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CallPiece {
    pub(super) index: Count,
    pub(super) id: Label,
    #[serde(deserialize_with = "lenient")]
    pub(super) function: FunctionPiece,
    pub(super) provider_specific_fields: Json,
    pub(super) extra_content: Json,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FunctionPiece {
    pub(super) name: Label,
    pub(super) arguments: Arguments,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(super) struct WireUsage {
    prompt_tokens: Count,
    completion_tokens: Count,
    #[serde(deserialize_with = "lenient")]
    prompt_tokens_details: PromptDetails,
    #[serde(deserialize_with = "lenient")]
    completion_tokens_details: CompletionDetails,
    /// DeepSeek's name for cached tokens.
    prompt_cache_hit_tokens: Count,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Count,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Count,
}

impl From<WireUsage> for Usage {
    fn from(u: WireUsage) -> Self {
        let count = |count: Count| i64::from(count.0.unwrap_or_default());
        let cached = u.prompt_tokens_details.cached_tokens;
        Self {
            prompt_tokens: count(u.prompt_tokens),
            completion_tokens: count(u.completion_tokens),
            cached_input_tokens: count(Count(cached.0.or(u.prompt_cache_hit_tokens.0))),
            cache_write_tokens: 0,
            reasoning_tokens: count(u.completion_tokens_details.reasoning_tokens),
        }
    }
}
