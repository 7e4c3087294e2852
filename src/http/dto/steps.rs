//! Steps on the wire: the superset of both generations.

use engram_domain::{Json, Step, StopReason};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    owned::OwnedBy,
    runs::{CompletionDetails, PromptDetails},
};

/// A step.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StepDto {
    /// Its id.
    pub id: String,
    /// Always `null`.
    pub origin: Option<String>,
    /// The organization.
    pub organization_id: String,
    /// Always `null`.
    pub provider_id: Option<String>,
    /// The run, as old clients call it.
    pub job_id: String,
    /// The run.
    pub run_id: String,
    /// The agent.
    pub agent_id: String,
    /// Provider of the model.
    pub provider_name: String,
    /// `base`.
    pub provider_category: &'static str,
    /// The model.
    pub model: String,
    /// `provider/model`.
    pub model_handle: Option<String>,
    /// Where it was called.
    pub model_endpoint: Option<String>,
    /// The window that was reckoned with, in tokens.
    pub context_window_limit: i32,
    /// Tokens written.
    pub completion_tokens: i64,
    /// Tokens read.
    pub prompt_tokens: i64,
    /// Both.
    pub total_tokens: i64,
    /// Of those read, served from the provider's cache.
    pub cached_input_tokens: i64,
    /// Written to the provider's cache.
    pub cache_write_tokens: i64,
    /// Of those written, spent on reasoning.
    pub reasoning_tokens: i64,
    /// Of those written.
    pub completion_tokens_details: CompletionDetails,
    /// Of those read.
    pub prompt_tokens_details: PromptDetails,
    /// Why the run ended, on its last step.
    pub stop_reason: Option<&'static str>,
    /// Tags of the feedback.
    pub tags: Vec<String>,
    /// Always `null`.
    pub tid: Option<String>,
    /// Always `null`.
    pub trace_id: Option<String>,
    /// Always `null`.
    pub request_id: Option<String>,
    /// Always empty: ask `/v1/steps/{step_id}/messages`.
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<Json>,
    /// `positive` or `negative`.
    pub feedback: Option<String>,
    /// Always `null`.
    pub project_id: Option<String>,
    /// What kind of error.
    pub error_type: Option<&'static str>,
    /// What went wrong.
    #[schema(value_type = Option<Object>)]
    pub error_data: Option<Json>,
    /// `pending`, `success`, `failed` or `cancelled`.
    pub status: &'static str,
}

impl StepDto {
    /// A step of these owners.
    pub fn new(step: &Step, by: OwnedBy) -> Self {
        let usage = step.usage;
        Self {
            id: step.id.to_string(),
            origin: None,
            organization_id: by.organization(),
            provider_id: None,
            job_id: step.run_id.to_string(),
            run_id: step.run_id.to_string(),
            agent_id: step.agent_id.to_string(),
            provider_name: step.provider_name.clone(),
            provider_category: "base",
            model: step.model.clone(),
            model_handle: step.model_handle.clone(),
            model_endpoint: step.model_endpoint.clone(),
            context_window_limit: step.context_window,
            completion_tokens: usage.completion_tokens,
            prompt_tokens: usage.prompt_tokens,
            total_tokens: usage.total(),
            cached_input_tokens: usage.cached_input_tokens,
            cache_write_tokens: usage.cache_write_tokens,
            reasoning_tokens: usage.reasoning_tokens,
            completion_tokens_details: CompletionDetails { reasoning_tokens: usage.reasoning_tokens },
            prompt_tokens_details: usage.into(),
            stop_reason: step.stop_reason.map(StopReason::as_str),
            tags: step.tags.clone(),
            tid: None,
            trace_id: None,
            request_id: None,
            messages: Vec::new(),
            feedback: step.feedback.clone(),
            project_id: None,
            error_type: step.error.as_ref().map(|_| "llm_error"),
            error_data: step.error.as_ref().map(|message| json!({ "message": message })),
            status: step.status.as_str(),
        }
    }
}

/// Times of a step.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StepMetricsDto {
    /// The step.
    pub id: String,
    /// The organization.
    pub organization_id: String,
    /// Always `null`.
    pub provider_id: Option<String>,
    /// Its run.
    pub run_id: String,
    /// Its agent.
    pub agent_id: String,
    /// When it began, in nanoseconds since 1970.
    pub step_start_ns: Option<i64>,
    /// When the model was asked, in nanoseconds since 1970.
    pub llm_request_start_ns: Option<i64>,
    /// Time of the model call, in nanoseconds.
    pub llm_request_ns: i64,
    /// Time of the tool calls, in nanoseconds.
    pub tool_execution_ns: Option<i64>,
    /// Time of the whole step, in nanoseconds.
    pub step_ns: i64,
    /// Always `null`.
    pub base_template_id: Option<String>,
    /// Always `null`.
    pub template_id: Option<String>,
    /// Always `null`.
    pub project_id: Option<String>,
}

impl StepMetricsDto {
    /// A step of these owners.
    pub fn new(step: &Step, by: OwnedBy) -> Self {
        let start = step.created_at.timestamp_nanos_opt();
        Self {
            id: step.id.to_string(),
            organization_id: by.organization(),
            provider_id: None,
            run_id: step.run_id.to_string(),
            agent_id: step.agent_id.to_string(),
            step_start_ns: start,
            llm_request_start_ns: start,
            llm_request_ns: step.llm_ns,
            tool_execution_ns: step.tool_ns,
            step_ns: step.step_ns,
            base_template_id: None,
            template_id: None,
            project_id: None,
        }
    }
}
