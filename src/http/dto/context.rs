//! What fills an agent's context window.

use engram_core::{
    ports::store::{Loaded, PromptMeta},
    prompt, tokens,
};
use engram_domain::{Json, Message, Role, Time, message::Content};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::owned::OwnedBy;

/// `GET /v1/agents/{id}/context`. All sizes are in tokens.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ContextWindowOverview)]
pub struct ContextDto {
    /// The window the agent works with.
    pub context_window_size_max: i32,
    /// What is in it now.
    pub context_window_size_current: usize,
    /// Messages in it.
    pub num_messages: usize,
    /// Passages in the agent's archives.
    pub num_archival_memory: i64,
    /// Messages of the conversation, in context or not.
    pub num_recall_memory: i64,
    /// Size of the section that tells what lies outside the context.
    pub num_tokens_external_memory_summary: usize,
    /// That section.
    pub external_memory_summary: String,
    /// Size of the instructions.
    pub num_tokens_system: usize,
    /// The instructions.
    pub system_prompt: String,
    /// Size of the memory blocks.
    pub num_tokens_core_memory: usize,
    /// The memory blocks as the model sees them.
    pub core_memory: String,
    /// Always 0.
    pub num_tokens_memory_filesystem: usize,
    /// Always null.
    pub memory_filesystem: Option<String>,
    /// Size of the tool rules.
    pub num_tokens_tool_usage_rules: usize,
    /// The tool rules as the model sees them.
    pub tool_usage_rules: Option<String>,
    /// Always 0.
    pub num_tokens_directories: usize,
    /// Always null.
    pub directories: Option<String>,
    /// Size of the summary of evicted messages.
    pub num_tokens_summary_memory: usize,
    /// The summary of evicted messages.
    pub summary_memory: Option<String>,
    /// Size of the tool schemas.
    pub num_tokens_functions_definitions: usize,
    /// The tool schemas.
    #[schema(value_type = Vec<Object>)]
    pub functions_definitions: Vec<Json>,
    /// Size of the messages besides the system message and the summary.
    pub num_tokens_messages: usize,
    /// The messages in context.
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<Json>,
}

impl ContextDto {
    /// Counts. Messages carry the counts they were stored with; the parts of the prompt are counted here,
    /// and their sum is the system message but for the separators between them.
    pub fn new(loaded: &Loaded, now: Time, by: OwnedBy) -> Self {
        let snapshot = &loaded.snapshot;
        let meta = loaded.prompt_meta.clone().unwrap_or_else(|| PromptMeta {
            compiled_at: now,
            recall_count: 0,
            archival_count: snapshot.archival_count,
            archival_tags: snapshot.archival_tags.clone(),
        });
        let parts = prompt::parts(snapshot, loaded.conversation.id, &meta);
        let functions: Vec<_> = snapshot
            .tools
            .values()
            .map(|t| json!({ "type": "function", "function": function(&t.json_schema) }))
            .collect();
        let function_tokens = functions.iter().map(|f| tokens::count(&f["function"].to_string())).sum();
        let (mut summary, mut summary_tokens, mut message_tokens) = (None, 0, 0);
        for message in &loaded.context {
            let size = usize::try_from(message.tokens).unwrap_or(0);
            match (&message.content, message.role) {
                (Content::Summary { text, .. }, _) => (summary, summary_tokens) = (Some(text.clone()), size),
                (_, Role::System) if message.id == loaded.conversation.system_message_id => {}
                _ => message_tokens += size,
            }
        }
        let mut dto = Self {
            context_window_size_max: snapshot.agent.llm.context_window,
            context_window_size_current: 0,
            num_messages: loaded.context.len(),
            num_archival_memory: snapshot.archival_count,
            num_recall_memory: loaded.conversation.next_seq,
            num_tokens_external_memory_summary: tokens::count(&parts.metadata),
            external_memory_summary: parts.metadata,
            num_tokens_system: tokens::count(&parts.system),
            system_prompt: parts.system,
            num_tokens_core_memory: tokens::count(&parts.memory),
            core_memory: parts.memory,
            num_tokens_memory_filesystem: 0,
            memory_filesystem: None,
            num_tokens_tool_usage_rules: tokens::count(&parts.rules),
            tool_usage_rules: (!parts.rules.is_empty()).then_some(parts.rules),
            num_tokens_directories: 0,
            directories: None,
            num_tokens_summary_memory: summary_tokens,
            summary_memory: summary,
            num_tokens_functions_definitions: function_tokens,
            functions_definitions: functions,
            num_tokens_messages: message_tokens,
            messages: loaded.context.iter().map(|m| raw_message(m, by)).collect(),
        };
        dto.context_window_size_current = dto.num_tokens_external_memory_summary
            + dto.num_tokens_system
            + dto.num_tokens_core_memory
            + dto.num_tokens_tool_usage_rules
            + dto.num_tokens_summary_memory
            + dto.num_tokens_functions_definitions
            + dto.num_tokens_messages;
        dto
    }
}

/// A stored schema with the member that clients expect besides.
fn function(schema: &Json) -> Json {
    let mut out = schema.clone();
    if let Some(members) = out.as_object_mut() {
        members.entry("strict").or_insert(Json::Null);
    }
    out
}

/// A message in the form in which the old server kept it (not the one in which clients read
/// conversations): only the context overview shows it.
pub fn raw_message(m: &Message, by: OwnedBy) -> Json {
    let calls: Vec<Json> = m
        .content
        .calls()
        .iter()
        .map(|c| json!({ "id": c.id, "type": "function", "function": { "name": c.name, "arguments": c.arguments } }))
        .collect();
    let (tool_call_id, returns) = match &m.content {
        Content::ToolReturn(r) => (
            Some(r.tool_call_id.clone()),
            vec![json!({
                "tool_call_id": r.tool_call_id, "status": r.status, "stdout": r.stdout, "stderr": r.stderr,
                "func_response": r.text,
            })],
        ),
        _ => (None, vec![]),
    };
    let content: Vec<Json> = match &m.content {
        Content::Parts { parts } => parts.iter().filter_map(|p| serde_json::to_value(p).ok()).collect(),
        Content::Assistant { text, .. } => text.iter().map(|t| json!({ "type": "text", "text": t })).collect(),
        other => vec![json!({ "type": "text", "text": other.plain_text() })],
    };
    json!({
        "created_by_id": by.user(), "last_updated_by_id": by.user(),
        "created_at": m.created_at, "updated_at": m.created_at,
        "id": m.id, "organization_id": by.organization(), "agent_id": m.agent_id, "model": m.model,
        "role": m.role, "content": content, "name": m.name,
        "tool_calls": if calls.is_empty() { Json::Null } else { Json::Array(calls) },
        "tool_call_id": tool_call_id, "step_id": m.step_id, "run_id": m.run_id, "otid": m.otid,
        "tool_returns": returns, "group_id": m.group_id, "sender_id": m.sender_id, "batch_item_id": null,
        "conversation_id": m.conversation_id, "is_err": m.is_err, "approval_request_id": null, "approve": null,
        "denial_reason": null, "approvals": null,
    })
}
