//! `agents` and `agent_env`.

use engram_domain::{Agent, AgentType, BusyPolicy, EnvVar, IdentityId, JsonMap, StopReason, Time};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    HIDDEN, Result,
    json::{RawJson, corrupt, parse_opt},
    secrets::Vault,
};

/// Columns of [`AgentRow`], for `FROM agents a LEFT JOIN conversations d ON d.id = a.id`: how the
/// last run ended is kept with the default conversation.
macro_rules! agent_columns {
    () => {
        "a.id, a.name, a.description, a.agent_type, a.system, a.llm, a.embedding, a.model_settings, a.compaction, \
         a.response_format, a.tool_rules, a.tags, a.metadata, a.message_buffer_autoclear, \
         a.enable_sleeptime, a.timezone, a.busy_policy, a.max_files_open, a.per_file_view_window_char_limit, a.hidden, \
         a.project_id, a.template_id, a.base_template_id, a.created_at, a.updated_at, a.rev, \
         d.last_run_completion, d.last_run_duration_ms, d.last_stop_reason, \
         ARRAY(SELECT i.identity_id FROM agent_identities i WHERE i.agent_id = a.id ORDER BY i.position) \
         AS identity_ids"
    };
}
pub(crate) use agent_columns;

#[derive(FromRow)]
pub(crate) struct AgentRow {
    pub id: Uuid,
    name: String,
    description: Option<String>,
    agent_type: String,
    system: String,
    llm: RawJson,
    embedding: RawJson,
    model_settings: Option<RawJson>,
    compaction: Option<RawJson>,
    response_format: Option<RawJson>,
    tool_rules: RawJson,
    tags: Vec<String>,
    metadata: RawJson,
    identity_ids: Vec<Uuid>,
    message_buffer_autoclear: bool,
    enable_sleeptime: Option<bool>,
    timezone: String,
    busy_policy: String,
    max_files_open: i32,
    per_file_view_window_char_limit: i32,
    hidden: Option<bool>,
    project_id: Option<String>,
    template_id: Option<String>,
    base_template_id: Option<String>,
    created_at: Time,
    updated_at: Time,
    rev: i64,
    last_run_completion: Option<Time>,
    last_run_duration_ms: Option<i64>,
    last_stop_reason: Option<String>,
}

impl AgentRow {
    /// The agent, with the variables that were read beside it.
    pub fn into_agent(self, env: Vec<EnvVar>) -> Result<Agent> {
        const T: &str = "agents";
        let id = self.id;
        let agent_type = AgentType::parse(&self.agent_type)
            .ok_or_else(|| corrupt(T, "agent_type", id, format!("no such type: {}", self.agent_type)))?;
        let busy_policy = BusyPolicy::parse(&self.busy_policy)
            .ok_or_else(|| corrupt(T, "busy_policy", id, format!("no such policy: {}", self.busy_policy)))?;
        Ok(Agent {
            id: id.into(),
            llm: self.llm.parse(T, "llm", id)?,
            embedding: self.embedding.parse(T, "embedding", id)?,
            model_settings: parse_opt(self.model_settings.as_ref(), T, "model_settings", id)?,
            compaction: parse_opt(self.compaction.as_ref(), T, "compaction", id)?,
            response_format: parse_opt(self.response_format.as_ref(), T, "response_format", id)?,
            tool_rules: self.tool_rules.parse(T, "tool_rules", id)?,
            metadata: parse_opt::<JsonMap>(Some(&self.metadata), T, "metadata", id)?.unwrap_or_default(),
            last_stop_reason: self.last_stop_reason.as_deref().and_then(StopReason::parse),
            name: self.name,
            description: self.description,
            agent_type,
            system: self.system,
            tags: self.tags,
            env,
            identity_ids: self.identity_ids.into_iter().map(IdentityId).collect(),
            message_buffer_autoclear: self.message_buffer_autoclear,
            enable_sleeptime: self.enable_sleeptime,
            timezone: self.timezone,
            busy_policy,
            max_files_open: self.max_files_open,
            per_file_view_window_char_limit: self.per_file_view_window_char_limit,
            hidden: self.hidden,
            project_id: self.project_id,
            template_id: self.template_id,
            base_template_id: self.base_template_id,
            last_run_completion: self.last_run_completion,
            last_run_duration_ms: self.last_run_duration_ms,
            created_at: self.created_at,
            updated_at: self.updated_at,
            rev: self.rev,
        })
    }
}

/// `SELECT id, agent_id, key, value, description FROM agent_env`.
#[derive(FromRow)]
pub(crate) struct EnvRow {
    pub id: Uuid,
    pub agent_id: Uuid,
    pub key: String,
    pub value: String,
    pub description: Option<String>,
}

impl EnvRow {
    /// The variable with its value.
    pub fn open(self, vault: &Vault) -> Result<EnvVar> {
        let opened = vault.open(&env_place(self.agent_id, &self.key), self.value);
        let value = opened.map_err(|problem| corrupt("agent_env", "value", self.id, problem))?;
        Ok(EnvVar { id: self.id.into(), key: self.key, value, description: self.description })
    }

    /// The variable as a caller sees it who may not see secrets.
    pub fn hide(self) -> EnvVar {
        EnvVar { id: self.id.into(), key: self.key, value: HIDDEN.into(), description: self.description }
    }
}

/// The place that a variable's value is sealed for.
pub(crate) fn env_place(agent: Uuid, key: &str) -> String {
    format!("agent_env {agent} {key}")
}
