//! The request that creates an agent, in the spellings of both generations. Nothing is required.

use std::collections::BTreeMap;

use engram_domain::{AgentType, BlockId, BusyPolicy, CompactionSettings, Json, JsonMap, ToolId, ToolRule};
use engram_store::agents::AgentPatch;
use serde::Deserialize;
use utoipa::ToSchema;

use super::refuse_unbuilt;
use crate::{
    app::agents::{
        AgentSpec, ToolWish,
        models::{EmbeddingWish, LlmWish},
    },
    http::{
        caller::Caller,
        dto::{
            blocks::CreateBlock,
            llm::{EmbeddingConfigDto, LlmConfigDto},
            messages::MessageCreate,
        },
        error::ApiError,
    },
};

/// An agent to create.
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
    /// Rules for tool calls.
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
    /// What happens to a message that is sent while the agent is busy, where the request does not say: `queue`,
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
    /// What the application is asked for. The newer name of a member goes before its older one.
    pub fn spec(self, caller: Caller) -> Result<AgentSpec, ApiError> {
        refuse_unbuilt([
            ("`from_template`", self.from_template.is_some()),
            ("`template`", self.template == Some(true)),
            ("`identity_ids`", self.identity_ids.is_some_and(|ids| !ids.is_empty())),
            ("`source_ids`", self.source_ids.is_some_and(|ids| !ids.is_empty())),
            ("`folder_ids`", self.folder_ids.is_some_and(|ids| !ids.is_empty())),
        ])?;
        let first_messages = self.initial_message_sequence.map(|messages| {
            let place = |i: usize| i.to_string();
            let input = |(i, m): (usize, &MessageCreate)| m.input(&["body", "initial_message_sequence", &place(i)]);
            messages.iter().enumerate().map(input).collect::<Result<Vec<_>, _>>()
        });
        let mut env = self.tool_exec_environment_variables.unwrap_or_default();
        env.extend(self.secrets.unwrap_or_default());
        Ok(AgentSpec {
            agent_type: self.agent_type.unwrap_or(caller.usual_agent_type()),
            settings: AgentPatch {
                name: self.name,
                description: self.description.map(Some),
                system: self.system,
                model_settings: self.model_settings,
                compaction: self.compaction_settings,
                response_format: self.response_format.map(Some),
                tool_rules: self.tool_rules,
                tags: self.tags,
                metadata: self.metadata,
                message_buffer_autoclear: self.message_buffer_autoclear,
                enable_sleeptime: self.enable_sleeptime,
                timezone: self.timezone,
                busy_policy: self.busy_policy,
                max_files_open: self.max_files_open,
                per_file_view_window_char_limit: self.per_file_view_window_char_limit,
                hidden: self.hidden.map(Some),
                project_id: self.project_id.map(Some),
                template_id: self.template_id.map(Some),
                base_template_id: self.base_template_id.map(Some),
                ..AgentPatch::default()
            },
            llm: LlmWish {
                handle: self.model.or(self.llm),
                config: self.llm_config.map(Into::into),
                context_window: self.context_window_limit,
                usual_window: Some(caller.usual_window()),
                max_tokens: self.max_tokens,
                max_reasoning_tokens: self.max_reasoning_tokens,
                // `enable_reasoner` has a default in the documents, so clients that send it mean it.
                reasoning: self.reasoning.or(self.enable_reasoner),
                parallel_tool_calls: self.parallel_tool_calls,
            },
            embedding: EmbeddingWish {
                handle: self.embedding,
                config: self.embedding_config.map(Into::into),
                chunk_size: self.embedding_chunk_size,
            },
            env,
            tools: ToolWish {
                names: self.tools.unwrap_or_default(),
                ids: self.tool_ids.unwrap_or_default(),
                include_base_tools: self.include_base_tools.unwrap_or(true),
                include_multi_agent_tools: self.include_multi_agent_tools.unwrap_or(false),
            },
            include_base_tool_rules: self.include_base_tool_rules,
            block_ids: self.block_ids.unwrap_or_default(),
            blocks: self.memory_blocks.unwrap_or_default().into_iter().map(Into::into).collect(),
            block_variables: self.memory_variables.unwrap_or_default(),
            first_messages: first_messages.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(request: Json, is_v1_sdk: bool) -> Result<AgentSpec, ApiError> {
        let request: CreateAgent = serde_json::from_value(request).expect("a request");
        request.spec(Caller { is_v1_sdk, is_old_ts: false })
    }

    #[test]
    fn the_names_of_both_generations_are_read() {
        let spec = read(
            json!({
                "llm": "p/m", "enable_reasoner": true,
                "tool_exec_environment_variables": { "A": "1", "B": "1" }, "secrets": { "B": "2" },
                "tool_rules": [{ "tool_name": "send_message", "type": "continue_loop" }],
            }),
            false,
        );
        let spec = spec.expect("valid");
        assert_eq!((spec.llm.handle.as_deref(), spec.llm.reasoning), (Some("p/m"), Some(true)));
        assert_eq!(spec.env, BTreeMap::from([("A".into(), "1".into()), ("B".into(), "2".into())]));
        assert_eq!(spec.settings.tool_rules.map(|rules| rules.len()), Some(1));
        assert_eq!((spec.agent_type, spec.llm.usual_window), (AgentType::MemgptAgent, Some(32_000)));
        let new = read(json!({}), true).expect("valid");
        assert_eq!((new.agent_type, new.llm.usual_window), (AgentType::LettaV1Agent, Some(128_000)));
    }

    #[test]
    fn what_is_not_built_is_refused() {
        let error = read(json!({ "source_ids": ["source-1"] }), true).err().expect("not built");
        assert_eq!(error.status(), 501);
        assert!(read(json!({ "source_ids": [] }), true).is_ok());
    }
}
