//! What went to the model in a step.

use engram_domain::{Content, Json, Message, Role, Step, TraceId, message::parts_text};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{messages::letta::timestamp, owned::OwnedBy};

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
    pub user_id: Option<String>,
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
    pub created_by_id: Option<String>,
    /// The user.
    pub last_updated_by_id: Option<String>,
}

impl ProviderTraceDto {
    /// A step, and the messages that the model was sent in it.
    pub fn new(step: &Step, messages: &[Message], by: OwnedBy) -> Self {
        let (at, user, organization) = (timestamp(step.created_at), by.user(), by.organization());
        Self {
            id: TraceId(step.id.0).to_string(),
            request_json: json!({ "model": step.model, "messages": messages.iter().map(spoken).collect::<Vec<_>>() }),
            response_json: step.response.clone().unwrap_or_else(|| json!({})),
            step_id: step.id.to_string(),
            run_id: step.run_id.to_string(),
            agent_id: step.agent_id.to_string(),
            agent_tags: Vec::new(),
            call_type: "agent_step",
            source: None,
            organization_id: organization.clone(),
            org_id: organization,
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
        }
    }
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
