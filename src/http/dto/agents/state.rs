//! The state of an agent: the superset of what both server generations answered.

use engram_domain::{Agent, AgentId, CompactionSettings, EnvVar, Json, JsonMap, Message, MessageId, ToolRule};
use engram_store::agents::Relations;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::dto::{
    blocks::{BlockDto, MemoryDto},
    groups::GroupDto,
    llm::{EmbeddingConfigDto, LlmConfigDto, model_settings},
    messages::{Options, letta::timestamp, letta_messages},
    owned::OwnedBy,
    tools::ToolDto,
};

/// A variable that the agent's tools see.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = AgentEnvironmentVariable)]
pub struct EnvVarDto {
    /// Always null.
    pub created_by_id: Option<String>,
    /// Always null.
    pub last_updated_by_id: Option<String>,
    /// When its agent was created.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its agent last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Its id.
    pub id: String,
    /// Its name.
    pub key: String,
    /// Its value; `***` for a key without the scope `admin`.
    pub value: String,
    /// What it is for.
    pub description: Option<String>,
    /// The organization.
    pub organization_id: String,
    /// Always null: what the database holds is shown to nobody.
    pub value_enc: Option<String>,
    /// Its agent.
    #[schema(value_type = String)]
    pub agent_id: AgentId,
}

impl EnvVarDto {
    fn new(v: &EnvVar, agent: &Agent, by: OwnedBy) -> Self {
        Self {
            created_by_id: None,
            last_updated_by_id: None,
            created_at: timestamp(agent.created_at),
            updated_at: timestamp(agent.updated_at),
            id: v.id.to_string(),
            key: v.key.clone(),
            value: v.value.clone(),
            description: v.description.clone(),
            organization_id: by.organization(),
            value_enc: None,
            agent_id: agent.id,
        }
    }
}

/// An agent.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = AgentState)]
pub struct AgentStateDto {
    /// Whom it is said to come from.
    pub created_by_id: Option<String>,
    /// Whom it is said to come from.
    pub last_updated_by_id: Option<String>,
    /// When it was created.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its configuration last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Its id.
    #[schema(value_type = String)]
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// Rules for tool calls.
    #[schema(value_type = Vec<Object>)]
    pub tool_rules: Vec<ToolRule>,
    /// Messages in the context of its default conversation; the first is the system prompt.
    #[schema(value_type = Vec<String>)]
    pub message_ids: Vec<MessageId>,
    /// The instructions before memory is compiled in.
    pub system: String,
    /// Its type.
    pub agent_type: &'static str,
    /// Its model in full.
    pub llm_config: LlmConfigDto,
    /// The embedding model of archives that it creates.
    pub embedding_config: EmbeddingConfigDto,
    /// Handle of its model.
    pub model: String,
    /// Handle of its embedding model.
    pub embedding: String,
    /// Settings of its model as 1.x clients spell them.
    #[schema(value_type = Object)]
    pub model_settings: Json,
    /// How its context is compacted.
    #[schema(value_type = Object)]
    pub compaction_settings: CompactionSettings,
    /// Shape of the model's answers.
    #[schema(value_type = Option<Object>)]
    pub response_format: Option<Json>,
    /// The organization.
    pub organization_id: String,
    /// What it is for.
    pub description: Option<String>,
    /// Free-form data.
    #[schema(value_type = Object)]
    pub metadata: JsonMap,
    /// Its memory.
    pub memory: MemoryDto,
    /// Its blocks once more, where newer clients look for them.
    pub blocks: Vec<BlockDto>,
    /// Its tools.
    pub tools: Vec<ToolDto>,
    /// Data sources attached to it: none yet.
    #[schema(value_type = Vec<Object>)]
    pub sources: Vec<Json>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Variables for its tools.
    pub tool_exec_environment_variables: Vec<EnvVarDto>,
    /// The same under its newer name.
    pub secrets: Vec<EnvVarDto>,
    /// Project id as the caller gave it.
    pub project_id: Option<String>,
    /// Template id as the caller gave it.
    pub template_id: Option<String>,
    /// Base template id as the caller gave it.
    pub base_template_id: Option<String>,
    /// Always null.
    pub deployment_id: Option<String>,
    /// Always null.
    pub entity_id: Option<String>,
    /// Identities it belongs to.
    pub identity_ids: Vec<String>,
    /// The same in full: none yet.
    #[schema(value_type = Vec<Object>)]
    pub identities: Vec<Json>,
    /// The tool call that waits for a person.
    #[schema(value_type = Option<Object>)]
    pub pending_approval: Option<Json>,
    /// Whether its context is emptied after every run.
    pub message_buffer_autoclear: bool,
    /// As the caller set it.
    pub enable_sleeptime: Option<bool>,
    /// The group it manages; of several the one that works in the background, else the newest.
    pub multi_agent_group: Option<GroupDto>,
    /// The same under its newer name.
    pub managed_group: Option<GroupDto>,
    /// When its last run ended.
    #[schema(format = DateTime)]
    pub last_run_completion: Option<String>,
    /// How long that took, in milliseconds.
    pub last_run_duration_ms: Option<i64>,
    /// Why it ended.
    pub last_stop_reason: Option<&'static str>,
    /// Zone in which times are shown to the model.
    pub timezone: String,
    /// What happens to a message that is sent while the agent is busy: `queue`, `reject` or `interrupt`.
    pub busy_policy: &'static str,
    /// How many files may be open in its context.
    pub max_files_open: i32,
    /// Characters of an open file that its context shows.
    pub per_file_view_window_char_limit: i32,
    /// Left out of lists when true.
    pub hidden: Option<bool>,
}

impl AgentStateDto {
    /// Puts an agent together with what hangs on it.
    pub fn new(agent: Agent, relations: Relations, by: OwnedBy) -> Self {
        let pending_approval = relations.approval.as_ref().and_then(pending_approval);
        let env: Vec<EnvVarDto> = agent.env.iter().map(|v| EnvVarDto::new(v, &agent, by)).collect();
        let blocks: Vec<BlockDto> = relations.blocks.into_iter().map(|block| BlockDto::new(block, by)).collect();
        let group = relations.group.map(GroupDto::from);
        Self {
            created_by_id: by.user(),
            last_updated_by_id: by.user(),
            created_at: timestamp(agent.created_at),
            updated_at: timestamp(agent.updated_at),
            id: agent.id,
            message_ids: relations.message_ids,
            agent_type: agent.agent_type.as_str(),
            llm_config: (&agent.llm).into(),
            embedding_config: (&agent.embedding).into(),
            model: agent.llm.handle(),
            embedding: agent.embedding.handle(),
            model_settings: model_settings(&agent.llm, agent.model_settings.as_ref()),
            compaction_settings: agent.compaction.unwrap_or_default(),
            response_format: agent.response_format,
            organization_id: by.organization(),
            memory: MemoryDto {
                agent_type: agent.agent_type.as_str(),
                git_enabled: false,
                blocks: blocks.clone(),
                file_blocks: vec![],
                prompt_template: String::new(),
            },
            blocks,
            tools: relations.tools.into_iter().map(|tool| ToolDto::new(tool, by)).collect(),
            sources: vec![],
            tool_exec_environment_variables: env.clone(),
            secrets: env,
            deployment_id: None,
            entity_id: None,
            identity_ids: agent.identity_ids.iter().map(ToString::to_string).collect(),
            identities: vec![],
            pending_approval,
            multi_agent_group: group.clone(),
            managed_group: group,
            last_stop_reason: agent.last_stop_reason.map(engram_domain::StopReason::as_str),
            name: agent.name,
            tool_rules: agent.tool_rules,
            system: agent.system,
            description: agent.description,
            metadata: agent.metadata,
            tags: agent.tags,
            project_id: agent.project_id,
            template_id: agent.template_id,
            base_template_id: agent.base_template_id,
            message_buffer_autoclear: agent.message_buffer_autoclear,
            enable_sleeptime: agent.enable_sleeptime,
            last_run_completion: agent.last_run_completion.map(timestamp),
            last_run_duration_ms: agent.last_run_duration_ms,
            timezone: agent.timezone,
            busy_policy: agent.busy_policy.as_str(),
            max_files_open: agent.max_files_open,
            per_file_view_window_char_limit: agent.per_file_view_window_char_limit,
            hidden: agent.hidden,
        }
    }
}

/// The request for approval in a message that waits for the client, as clients read it; none where the message holds the
/// client's decision.
fn pending_approval(message: &Message) -> Option<Json> {
    letta_messages([message], &Options::default())
        .into_iter()
        .filter_map(|m| serde_json::to_value(m).ok())
        .find(|m| m["message_type"] == "approval_request_message")
}

#[cfg(test)]
mod tests {
    use engram_domain::{EmbeddingConfig, EnvVarId, LlmConfig};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_agent_has_the_members_of_both_generations() {
        let agent = Agent {
            llm: LlmConfig { model: "m".into(), provider_name: Some("p".into()), ..LlmConfig::default() },
            embedding: EmbeddingConfig { handle: Some("p/e".into()), ..EmbeddingConfig::default() },
            env: vec![EnvVar { id: EnvVarId(Uuid::nil()), key: "K".into(), value: "V".into(), description: None }],
            ..engram_testkit::agent(AgentId(Uuid::nil()))
        };
        let wire = serde_json::to_value(AgentStateDto::new(agent, Relations::default(), OwnedBy::DEFAULT))
            .expect("plain data");
        let mut members: Vec<&str> = wire.as_object().expect("an object").keys().map(String::as_str).collect();
        members.sort_unstable();
        insta::assert_snapshot!(members.join(" "), @"agent_type base_template_id blocks busy_policy compaction_settings created_at created_by_id deployment_id description embedding embedding_config enable_sleeptime entity_id hidden id identities identity_ids last_run_completion last_run_duration_ms last_stop_reason last_updated_by_id llm_config managed_group max_files_open memory message_buffer_autoclear message_ids metadata model model_settings multi_agent_group name organization_id pending_approval per_file_view_window_char_limit project_id response_format secrets sources system tags template_id timezone tool_exec_environment_variables tool_rules tools updated_at");
        assert_eq!((&wire["model"], &wire["embedding"]), (&"p/m".into(), &"p/e".into()));
        assert_eq!(wire["secrets"], wire["tool_exec_environment_variables"]);
        assert_eq!(wire["blocks"], wire["memory"]["blocks"]);
        assert_eq!(wire["created_at"], "1970-01-01T00:00:00.000000Z");
    }
}
