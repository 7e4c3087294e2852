//! The request that creates an agent, in the spellings of both generations. Nothing is required.

use std::collections::BTreeMap;

use engram_domain::{AgentType, BlockId, BusyPolicy, CompactionSettings, Json, JsonMap, ToolId, ToolRule};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::http::dto::{
    blocks::CreateBlock,
    llm::{EmbeddingConfigDto, LlmConfigDto},
    messages::MessageCreate,
};

/// An agent to be made.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[schema(as = CreateAgentRequest)]
pub struct CreateAgent {
    /// Its name; a random one when absent.
    pub name: Option<String>,
    /// Blocks to create for it.
    pub memory_blocks: Option<Vec<CreateBlock>>,
    /// Names of tools to attach.
    pub tools: Option<Vec<String>>,
    /// Ids of tools to attach.
    #[schema(value_type = Option<Vec<String>>)]
    pub tool_ids: Option<Vec<ToolId>>,
    /// Data sources to attach.
    pub source_ids: Option<Vec<String>>,
    /// The same under their newer name.
    pub folder_ids: Option<Vec<String>>,
    /// Ids of existing blocks to attach.
    #[schema(value_type = Option<Vec<String>>)]
    pub block_ids: Option<Vec<BlockId>>,
    /// Constraints on tool calls.
    #[schema(value_type = Option<Vec<Object>>)]
    pub tool_rules: Option<Vec<ToolRule>>,
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// Instructions; those of its type when absent.
    pub system: Option<String>,
    /// Its type; `letta_v1_agent` for 1.x clients and `memgpt_agent` for others when absent.
    #[schema(value_type = Option<String>)]
    pub agent_type: Option<AgentType>,
    /// First messages instead of those of its type.
    pub initial_message_sequence: Option<Vec<MessageCreate>>,
    /// Whether it gets the tools of its type; true when absent.
    pub include_base_tools: Option<bool>,
    /// Whether it gets the tools to talk to other agents.
    pub include_multi_agent_tools: Option<bool>,
    /// Whether the rules of the tools of its type are added; decided by its type when absent.
    pub include_base_tool_rules: Option<bool>,
    /// What it is for.
    pub description: Option<String>,
    /// Free-form data.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<JsonMap>,
    /// Its model in full; `model` goes before it.
    pub llm_config: Option<LlmConfigDto>,
    /// Its embedding model in full; `embedding` goes before it.
    pub embedding_config: Option<EmbeddingConfigDto>,
    /// Handle of its model, `provider/name`.
    pub model: Option<String>,
    /// `model` as one page of the documentation spells it.
    pub llm: Option<String>,
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
    /// Tokens of one passage of its archives.
    pub embedding_chunk_size: Option<i32>,
    /// Tokens of one answer.
    pub max_tokens: Option<i32>,
    /// Tokens of reasoning.
    pub max_reasoning_tokens: Option<i32>,
    /// Whether a reasoning model may reason.
    pub enable_reasoner: Option<bool>,
    /// The same under its newer name.
    pub reasoning: Option<bool>,
    /// A template to start from.
    pub from_template: Option<String>,
    /// Whether to make a template.
    pub template: Option<bool>,
    /// Variables for its tools. Secrets.
    pub tool_exec_environment_variables: Option<BTreeMap<String, String>>,
    /// The same under their newer name.
    pub secrets: Option<BTreeMap<String, String>>,
    /// Values for `{{name}}` in blocks.
    pub memory_variables: Option<BTreeMap<String, String>>,
    /// Project id.
    pub project_id: Option<String>,
    /// Template id.
    pub template_id: Option<String>,
    /// Base template id.
    pub base_template_id: Option<String>,
    /// Identities it belongs to.
    pub identity_ids: Option<Vec<String>>,
    /// Whether its context is emptied after every run.
    pub message_buffer_autoclear: Option<bool>,
    /// Whether a companion edits its memory in the background.
    pub enable_sleeptime: Option<bool>,
    /// Shape of the model's answers.
    #[schema(value_type = Option<Object>)]
    pub response_format: Option<Json>,
    /// IANA name of the zone in which times are shown to the model; UTC when absent.
    pub timezone: Option<String>,
    /// What becomes of a message that is sent while it is busy, where the request does not say: `queue`,
    /// `reject` or `interrupt`.
    #[schema(value_type = Option<String>)]
    pub busy_policy: Option<BusyPolicy>,
    /// How many files may be open in its context.
    pub max_files_open: Option<i32>,
    /// Characters of an open file that its context shows.
    pub per_file_view_window_char_limit: Option<i32>,
    /// Left out of lists when true.
    pub hidden: Option<bool>,
    /// Whether one answer may hold several tool calls.
    pub parallel_tool_calls: Option<bool>,
}

impl CreateAgent {
    /// Variables under both names; the newer name goes before the older.
    pub fn env(&self) -> BTreeMap<String, String> {
        let mut out = self.tool_exec_environment_variables.clone().unwrap_or_default();
        out.extend(self.secrets.clone().unwrap_or_default());
        out
    }

    /// Handle of the model under either name.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref().or(self.llm.as_deref())
    }
}
