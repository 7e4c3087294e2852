//! The answer to a message.

use engram_domain::{Content, Json, Message, Run, StopReason, Usage};
use serde::Serialize;
use utoipa::ToSchema;

use super::{letta::LettaMessage, letta_messages, pieces::Options};
use crate::http::caller::Caller;

/// What a run answered.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LettaResponse {
    /// New messages, without those that were sent.
    pub messages: Vec<LettaMessage>,
    /// Why it ended.
    pub stop_reason: StopReasonDto,
    /// Token usage.
    pub usage: UsageDto,
    /// Always `null`.
    #[schema(value_type = Option<Object>)]
    pub logprobs: Option<Json>,
    /// Always `null`.
    #[schema(value_type = Option<Vec<Object>>)]
    pub turns: Option<Json>,
}

/// Why a run ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StopReasonDto {
    /// `stop_reason`.
    pub message_type: &'static str,
    /// The reason.
    pub stop_reason: &'static str,
}

/// Token usage of a run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UsageDto {
    /// `usage_statistics`.
    pub message_type: &'static str,
    /// Written.
    pub completion_tokens: i64,
    /// Read.
    pub prompt_tokens: i64,
    /// Both.
    pub total_tokens: i64,
    /// Model calls.
    pub step_count: i32,
    /// Always `null`.
    #[schema(value_type = Option<Vec<Object>>)]
    pub steps_messages: Option<Json>,
    /// Always `null`.
    pub run_ids: Option<Vec<String>>,
    /// Of those read, served from the provider's cache.
    pub cached_input_tokens: i64,
    /// Written to the provider's cache.
    pub cache_write_tokens: i64,
    /// Of those written, spent on reasoning.
    pub reasoning_tokens: i64,
    /// In context afterwards; `null` where that is not known.
    pub context_tokens: Option<i64>,
}

impl StopReasonDto {
    /// As the caller can read it.
    pub fn new(reason: StopReason, caller: Caller) -> Self {
        Self { message_type: "stop_reason", stop_reason: stop_reason_for(reason, caller) }
    }
}

impl UsageDto {
    /// Of a run.
    pub fn new(usage: Usage, step_count: i32, context_tokens: Option<i64>) -> Self {
        Self {
            message_type: "usage_statistics",
            completion_tokens: usage.completion_tokens,
            prompt_tokens: usage.prompt_tokens,
            total_tokens: usage.total(),
            step_count,
            steps_messages: None,
            run_ids: None,
            cached_input_tokens: usage.cached_input_tokens,
            cache_write_tokens: usage.cache_write_tokens,
            reasoning_tokens: usage.reasoning_tokens,
            context_tokens,
        }
    }
}

impl LettaResponse {
    /// Of a run that is over, from its stored messages.
    pub fn of_run<'a>(run: &Run, messages: impl IntoIterator<Item = &'a Message>, caller: Caller) -> Self {
        let options = Options::of_run(&run.input.request_config);
        let output = messages.into_iter().filter(|m| is_output(m, &options));
        Self {
            messages: letta_messages(output, &options),
            stop_reason: StopReasonDto::new(run.stop_reason.unwrap_or(StopReason::Error), caller),
            usage: UsageDto::new(run.usage, run.step_count, None),
            logprobs: None,
            turns: None,
        }
    }
}

/// The old TypeScript client knows a closed set of reasons and throws on any other.
pub fn stop_reason_for(reason: StopReason, caller: Caller) -> &'static str {
    use StopReason as R;
    match reason {
        _ if !caller.is_old_ts => reason.as_str(),
        R::EndTurn | R::Error | R::InvalidToolCall | R::MaxSteps | R::NoToolCall | R::ToolRule => reason.as_str(),
        R::RequiresApproval => R::EndTurn.as_str(),
        _ => R::Error.as_str(),
    }
}

/// Whether a message of a run is its output: what was sent, the heartbeats and decisions on calls are
/// not.
pub fn is_output(message: &Message, options: &Options) -> bool {
    match message.content {
        // An assistant's message without a step is one that the caller sent.
        Content::Assistant { .. } => message.step_id.is_some(),
        Content::ToolReturn(_) => true,
        Content::Summary { .. } => options.include_compaction_messages,
        Content::Parts { .. } | Content::Decisions { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_serves_both_generations() {
        let usage = Usage { completion_tokens: 20, prompt_tokens: 100, cached_input_tokens: 7, ..Usage::default() };
        insta::assert_json_snapshot!(UsageDto::new(usage, 1, Some(120)), @r#"
        {
          "message_type": "usage_statistics",
          "completion_tokens": 20,
          "prompt_tokens": 100,
          "total_tokens": 120,
          "step_count": 1,
          "steps_messages": null,
          "run_ids": null,
          "cached_input_tokens": 7,
          "cache_write_tokens": 0,
          "reasoning_tokens": 0,
          "context_tokens": 120
        }
        "#);
    }

    #[test]
    fn only_the_old_typescript_client_gets_old_reasons() {
        let old_ts = Caller { is_old_ts: true, ..Caller::default() };
        assert_eq!(stop_reason_for(StopReason::RequiresApproval, old_ts), "end_turn");
        assert_eq!(stop_reason_for(StopReason::Cancelled, old_ts), "error");
        assert_eq!(stop_reason_for(StopReason::MaxSteps, old_ts), "max_steps");
        assert_eq!(stop_reason_for(StopReason::Cancelled, Caller::default()), "cancelled");
    }
}
