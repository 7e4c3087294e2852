//! `GET /v1/agents/{agent_id}/context`

use axum::Json;
use engram_core::{
    ports::store::{Loaded, PromptMeta},
    prompt, tokens,
};
use engram_domain::{AgentId, Content, ConversationId, Role};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use crate::app::App;
use crate::http::{
    dto::context::{ContextDto, raw_message},
    error::ApiError,
    extract::{ApiQuery, PathId},
};

/// Query parameters.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ContextQuery {
    /// Another conversation than the agent's default one.
    #[param(value_type = Option<String>)]
    conversation_id: Option<ConversationId>,
}

/// What fills the context window of an agent, by parts.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/context", tag = "agents",
    params(ContextQuery, ("agent_id" = String, Path)), responses((status = 200, body = ContextDto)))]
pub async fn context(
    app: App,
    PathId(id): PathId<AgentId>,
    ApiQuery(query): ApiQuery<ContextQuery>,
) -> Result<Json<ContextDto>, ApiError> {
    let conversation = query.conversation_id.unwrap_or(id.default_conversation());
    let loaded = app
        .store
        .load(conversation)
        .await?
        .filter(|l| l.snapshot.agent.id == id)
        .ok_or_else(|| ApiError::not_found("Agent", id))?;
    Ok(Json(overview(&loaded, app.clock.now())))
}

/// Counts. Messages carry the counts they were stored with; the parts of the prompt are counted here,
/// and their sum is the system message but for the separators between them.
fn overview(loaded: &Loaded, now: engram_domain::Time) -> ContextDto {
    let snapshot = &loaded.snapshot;
    let meta = loaded.prompt_meta.clone().unwrap_or_else(|| PromptMeta {
        compiled_at: now,
        recall_count: 0,
        archival_count: snapshot.archival_count,
        archival_tags: snapshot.archival_tags.clone(),
    });
    let parts = prompt::parts(snapshot, loaded.conversation.id, &meta);
    let functions: Vec<_> =
        snapshot.tools.values().map(|t| json!({ "type": "function", "function": function(&t.json_schema) })).collect();
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
    let mut dto = ContextDto {
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
        messages: loaded.context.iter().map(|m| raw_message(m)).collect(),
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

/// A stored schema with the member that clients expect besides.
fn function(schema: &engram_domain::Json) -> engram_domain::Json {
    let mut out = schema.clone();
    if let Some(members) = out.as_object_mut() {
        members.entry("strict").or_insert(engram_domain::Json::Null);
    }
    out
}
