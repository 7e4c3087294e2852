//! The request that changes an agent. Absent members stay as they are.

use std::collections::BTreeMap;

use engram_domain::{BlockId, BusyPolicy, CompactionSettings, Json, JsonMap, MessageId, StopReason, ToolId, ToolRule};
use engram_store::agents::AgentPatch;
use serde::Deserialize;
use utoipa::ToSchema;

use super::refuse_unbuilt;
use crate::{
    app::agents::{
        AgentChange,
        models::{EmbeddingWish, LlmWish},
    },
    http::{
        caller::Caller,
        dto::{
            llm::{EmbeddingConfigDto, LlmConfigDto},
            patch::{Patch, present},
        },
        error::ApiError,
        times,
    },
};

/// Changes of an agent; absent members stay as they are.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[schema(as = UpdateAgent)]
pub struct UpdateAgent {
    /// New name.
    pub name: Option<String>,
    /// All its tools.
    #[schema(value_type = Option<Vec<String>>)]
    pub tool_ids: Option<Vec<ToolId>>,
    /// All its data sources.
    pub source_ids: Option<Vec<String>>,
    /// The same under their newer name.
    pub folder_ids: Option<Vec<String>>,
    /// All its blocks, in the order of the prompt.
    #[schema(value_type = Option<Vec<String>>)]
    pub block_ids: Option<Vec<BlockId>>,
    /// All its tags.
    pub tags: Option<Vec<String>>,
    /// New instructions.
    pub system: Option<String>,
    /// All its rules.
    #[schema(value_type = Option<Vec<Object>>)]
    pub tool_rules: Option<Vec<ToolRule>>,
    /// Messages to keep in context: the present ones, or fewer from the beginning.
    #[schema(value_type = Option<Vec<String>>)]
    pub message_ids: Option<Vec<MessageId>>,
    /// New description; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub description: Patch<String>,
    /// New free-form data.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<JsonMap>,
    /// All its variables. Secrets.
    pub tool_exec_environment_variables: Option<BTreeMap<String, String>>,
    /// The same under their newer name.
    pub secrets: Option<BTreeMap<String, String>>,
    /// New project id; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub project_id: Patch<String>,
    /// New template id; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub template_id: Patch<String>,
    /// New base template id; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub base_template_id: Patch<String>,
    /// Identities it belongs to.
    pub identity_ids: Option<Vec<String>>,
    /// Whether its context is emptied after every run.
    pub message_buffer_autoclear: Option<bool>,
    /// Handle of its model.
    pub model: Option<String>,
    /// Handle of its embedding model.
    pub embedding: Option<String>,
    /// Settings of its model.
    #[schema(value_type = Option<Object>)]
    pub model_settings: Option<Json>,
    /// How its context is compacted.
    #[schema(value_type = Option<Object>)]
    pub compaction_settings: Option<CompactionSettings>,
    /// Window to work with, in tokens.
    pub context_window_limit: Option<i32>,
    /// Whether a reasoning model may reason.
    pub reasoning: Option<bool>,
    /// The same under its older name.
    pub enable_reasoner: Option<bool>,
    /// Its model in full; `model` goes before it.
    pub llm_config: Option<LlmConfigDto>,
    /// Its embedding model in full; `embedding` goes before it.
    pub embedding_config: Option<EmbeddingConfigDto>,
    /// Whether one answer may hold several tool calls.
    pub parallel_tool_calls: Option<bool>,
    /// Shape of the model's answers; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>)]
    pub response_format: Patch<Json>,
    /// Tokens of one answer.
    pub max_tokens: Option<i32>,
    /// Tokens of reasoning.
    pub max_reasoning_tokens: Option<i32>,
    /// Whether a companion edits its memory in the background.
    pub enable_sleeptime: Option<bool>,
    /// When its last run ended.
    pub last_run_completion: Option<String>,
    /// How long that took, in milliseconds.
    pub last_run_duration_ms: Option<i64>,
    /// Why it ended.
    #[schema(value_type = Option<String>)]
    pub last_stop_reason: Option<StopReason>,
    /// Zone in which times are shown to the model.
    pub timezone: Option<String>,
    /// What happens to a message that is sent while the agent is busy, where the request does not say: `queue`,
    /// `reject` or `interrupt`.
    #[schema(value_type = Option<String>)]
    pub busy_policy: Option<BusyPolicy>,
    /// How many files may be open in its context.
    pub max_files_open: Option<i32>,
    /// Characters of an open file that its context shows.
    pub per_file_view_window_char_limit: Option<i32>,
    /// Left out of lists when true.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<bool>)]
    pub hidden: Patch<bool>,
}

impl UpdateAgent {
    /// What the application is asked for. The newer name of a member goes before its older one.
    pub fn change(self, caller: Caller) -> Result<AgentChange, ApiError> {
        refuse_unbuilt([
            ("`identity_ids`", self.identity_ids.is_some_and(|ids| !ids.is_empty())),
            ("`source_ids`", self.source_ids.is_some_and(|ids| !ids.is_empty())),
            ("`folder_ids`", self.folder_ids.is_some_and(|ids| !ids.is_empty())),
        ])?;
        let env = match (self.tool_exec_environment_variables, self.secrets) {
            (None, None) => None,
            (older, newer) => {
                let mut env = older.unwrap_or_default();
                env.extend(newer.unwrap_or_default());
                Some(env)
            }
        };
        Ok(AgentChange {
            settings: AgentPatch {
                name: self.name,
                description: self.description,
                system: self.system,
                model_settings: self.model_settings,
                compaction: self.compaction_settings,
                response_format: self.response_format,
                tool_rules: self.tool_rules,
                tags: self.tags,
                metadata: self.metadata,
                message_buffer_autoclear: self.message_buffer_autoclear,
                enable_sleeptime: self.enable_sleeptime,
                timezone: self.timezone,
                busy_policy: self.busy_policy,
                max_files_open: self.max_files_open,
                per_file_view_window_char_limit: self.per_file_view_window_char_limit,
                hidden: self.hidden,
                project_id: self.project_id,
                template_id: self.template_id,
                base_template_id: self.base_template_id,
                tool_ids: self.tool_ids,
                block_ids: self.block_ids,
                last_run_completion: times::in_body("last_run_completion", self.last_run_completion.as_deref())?,
                last_run_duration_ms: self.last_run_duration_ms,
                last_stop_reason: self.last_stop_reason,
                ..AgentPatch::default()
            },
            llm: LlmWish {
                handle: self.model,
                config: self.llm_config.map(Into::into),
                context_window: self.context_window_limit,
                usual_window: Some(caller.usual_window()),
                max_tokens: self.max_tokens,
                max_reasoning_tokens: self.max_reasoning_tokens,
                reasoning: self.reasoning.or(self.enable_reasoner),
                parallel_tool_calls: self.parallel_tool_calls,
            },
            embedding: EmbeddingWish {
                handle: self.embedding,
                config: self.embedding_config.map(Into::into),
                chunk_size: None,
            },
            env,
            message_ids: self.message_ids,
        })
    }
}
