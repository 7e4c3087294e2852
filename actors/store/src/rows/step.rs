//! `steps`.

use engram_domain::{Step, StepStatus, StopReason, Time, Usage};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    StoreError,
    json::{RawJson, corrupt, parse_opt},
};

/// Columns of [`StepRow`], for `FROM steps s`, without the provider's answer, which may be large:
/// give `s.response` or `NULL::json AS response` as well.
macro_rules! step_columns {
    () => {
        "s.id, s.run_id, s.agent_id, s.conversation_id, s.provider_name, s.model, s.model_handle, s.model_endpoint, \
         s.context_window, s.completion_tokens, s.prompt_tokens, s.cached_tokens, s.cache_write_tokens, \
         s.reasoning_tokens, s.stop_reason, s.status, s.error, s.feedback, s.tags, s.context_from, s.context_to, \
         s.llm_ns, s.tool_ns, s.step_ns, s.created_at"
    };
}
pub(crate) use step_columns;

#[derive(FromRow)]
pub(crate) struct StepRow {
    pub id: Uuid,
    run_id: Uuid,
    agent_id: Uuid,
    conversation_id: Uuid,
    provider_name: String,
    model: String,
    model_handle: Option<String>,
    model_endpoint: Option<String>,
    context_window: i32,
    completion_tokens: i64,
    prompt_tokens: i64,
    cached_tokens: i64,
    cache_write_tokens: i64,
    reasoning_tokens: i64,
    stop_reason: Option<String>,
    status: String,
    error: Option<String>,
    feedback: Option<String>,
    tags: Vec<String>,
    response: Option<RawJson>,
    context_from: i64,
    context_to: i64,
    llm_ns: i64,
    tool_ns: Option<i64>,
    step_ns: i64,
    created_at: Time,
}

impl TryFrom<StepRow> for Step {
    type Error = StoreError;

    fn try_from(row: StepRow) -> Result<Self, StoreError> {
        const T: &str = "steps";
        let id = row.id;
        Ok(Self {
            id: id.into(),
            run_id: row.run_id.into(),
            agent_id: row.agent_id.into(),
            conversation_id: row.conversation_id.into(),
            provider_name: row.provider_name,
            model: row.model,
            model_handle: row.model_handle,
            model_endpoint: row.model_endpoint,
            context_window: row.context_window,
            usage: Usage {
                completion_tokens: row.completion_tokens,
                prompt_tokens: row.prompt_tokens,
                cached_input_tokens: row.cached_tokens,
                cache_write_tokens: row.cache_write_tokens,
                reasoning_tokens: row.reasoning_tokens,
            },
            stop_reason: row.stop_reason.as_deref().and_then(StopReason::parse),
            status: StepStatus::parse(&row.status)
                .ok_or_else(|| corrupt(T, "status", id, format!("no such status: {}", row.status)))?,
            error: row.error,
            feedback: row.feedback,
            tags: row.tags,
            response: parse_opt(row.response.as_ref(), T, "response", id)?,
            context_range: (row.context_from, row.context_to),
            llm_ns: row.llm_ns,
            tool_ns: row.tool_ns,
            step_ns: row.step_ns,
            created_at: row.created_at,
        })
    }
}
