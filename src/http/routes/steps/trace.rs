//! `GET /v1/steps/{step_id}/trace`, and `GET /v1/telemetry/{step_id}`, its older path.

use axum::Json as AxumJson;
use engram_domain::{
    Content, DEFAULT_ORGANIZATION, DEFAULT_USER, Json, Message, Role, Step, StepId, TraceId, message::parts_text,
};
use engram_store::{Page, messages::MessageFilter};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::find;
use crate::app::App;
use crate::http::{ApiError, PathId, dto::messages::letta::timestamp, pagination::MAX_LIMIT};

/// What went to the model in a step, and what came back. The request is put together again from the
/// stored messages, so a message that was edited since shows as it is now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProviderTraceDto {
    /// Its id, the step's under another prefix.
    pub id: String,
    /// The request.
    #[schema(value_type = Object)]
    pub request_json: Json,
    /// The provider's answer as it came.
    #[schema(value_type = Object)]
    pub response_json: Json,
    /// The step.
    pub step_id: String,
    /// Its run.
    pub run_id: String,
    /// Its agent.
    pub agent_id: String,
    /// Always empty.
    pub agent_tags: Vec<String>,
    /// `agent_step`.
    pub call_type: &'static str,
    /// Always `null`.
    pub source: Option<String>,
    /// The organization, as old clients call it.
    pub organization_id: String,
    /// The organization.
    pub org_id: String,
    /// The user.
    pub user_id: String,
    /// Always `null`.
    #[schema(value_type = Option<Object>)]
    pub compaction_settings: Option<Json>,
    /// The model.
    #[schema(value_type = Object)]
    pub llm_config: Json,
    /// Always `null`.
    #[schema(value_type = Option<Object>)]
    pub billing_context: Option<Json>,
    /// When the step began.
    pub created_at: String,
    /// When the step began.
    pub updated_at: String,
    /// The user.
    pub created_by_id: String,
    /// The user.
    pub last_updated_by_id: String,
}

/// Get what went to the model and what came back.
#[utoipa::path(
    get, path = "/v1/steps/{step_id}/trace", tag = "steps", params(("step_id" = String, Path, description = "Id of the step")),
    responses((status = 200, body = ProviderTraceDto), (status = 404, description = "No such step"))
)]
pub async fn retrieve_step_trace(app: App, PathId(id): PathId<StepId>) -> Result<AxumJson<ProviderTraceDto>, ApiError> {
    provider_trace(&app, id).await.map(AxumJson)
}

/// Get what went to the model in a step and what came back.
#[utoipa::path(
    get, path = "/v1/telemetry/{step_id}", tag = "telemetry", params(("step_id" = String, Path, description = "Id of the step")),
    responses((status = 200, body = ProviderTraceDto), (status = 404, description = "No such step"))
)]
pub async fn retrieve_trace(app: App, PathId(id): PathId<StepId>) -> Result<AxumJson<ProviderTraceDto>, ApiError> {
    provider_trace(&app, id).await.map(AxumJson)
}

async fn provider_trace(app: &App, id: StepId) -> Result<ProviderTraceDto, ApiError> {
    let step = find(app, id).await?;
    let mut messages = stretch(app, &step, step.context_range).await?;
    if step.context_range.0 > 0 {
        // The system prompt leads every request, however old the rest is.
        messages.splice(0..0, stretch(app, &step, (0, 1)).await?);
    }
    let request_json = json!({ "model": step.model, "messages": messages.iter().map(spoken).collect::<Vec<_>>() });
    let (at, user) = (timestamp(step.created_at), DEFAULT_USER.to_string());
    Ok(ProviderTraceDto {
        id: TraceId(step.id.0).to_string(),
        request_json,
        response_json: step.response.clone().unwrap_or_else(|| json!({})),
        step_id: step.id.to_string(),
        run_id: step.run_id.to_string(),
        agent_id: step.agent_id.to_string(),
        agent_tags: Vec::new(),
        call_type: "agent_step",
        source: None,
        organization_id: DEFAULT_ORGANIZATION.to_string(),
        org_id: DEFAULT_ORGANIZATION.to_string(),
        user_id: user.clone(),
        compaction_settings: None,
        llm_config: json!({
            "model": step.model, "handle": step.model_handle, "model_endpoint": step.model_endpoint,
            "model_endpoint_type": "openai", "context_window": step.context_window,
        }),
        billing_context: None,
        created_at: at.clone(),
        updated_at: at,
        created_by_id: user.clone(),
        last_updated_by_id: user,
    })
}

async fn stretch(app: &App, step: &Step, seq: (i64, i64)) -> Result<Vec<Message>, ApiError> {
    let filter = MessageFilter { seq: Some(seq), ..MessageFilter::default() };
    app.store.messages(step.conversation_id, &filter, Page::oldest(MAX_LIMIT)).await.map_err(Into::into)
}

/// In the words of the chat-completions protocol.
fn spoken(message: &Message) -> Json {
    match &message.content {
        Content::Parts { parts } => json!({ "role": message.role, "content": parts_text(parts) }),
        Content::Assistant { text, calls, .. } => {
            let calls: Vec<Json> = calls
                .iter()
                .map(|c| json!({ "id": c.id, "type": "function", "function": { "name": c.name, "arguments": c.arguments } }))
                .collect();
            json!({ "role": "assistant", "content": text, "tool_calls": calls })
        }
        Content::ToolReturn(result) => {
            json!({ "role": "tool", "tool_call_id": result.tool_call_id, "name": result.name, "content": result.text })
        }
        Content::Decisions { .. } => json!({ "role": Role::Approval, "content": null }),
        Content::Summary { text, .. } => json!({ "role": "user", "content": text }),
    }
}
