//! `groups`, with `group_agents`, `group_blocks` and `group_sleep`.

use engram_domain::{
    AgentId, BlockId, Group, ManagerConfig, ManagerType, MessageId, Time, group::SleepTriggers, schedule::When,
};
use sqlx::FromRow;
use uuid::Uuid;

use super::WhenRow;
use crate::{StoreError, json::corrupt};

/// Columns of [`GroupRow`], for `FROM` [`group_tables`].
macro_rules! group_columns {
    () => {
        "g.id, g.manager_type, g.description, g.manager_agent_id, g.termination_token, g.max_turns, \
         s.sleeptime_agent_frequency, s.max_message_buffer_length, s.min_message_buffer_length, s.turns_counter, \
         s.last_processed_message_id, g.project_id, g.template_id, g.base_template_id, g.hidden, g.created_at, \
         g.updated_at, s.idle_ms, s.kind, s.scheduled_at, s.cron, s.timezone, s.every_seconds, \
         ARRAY(SELECT ga.agent_id FROM group_agents ga WHERE ga.group_id = g.id ORDER BY ga.position) AS agent_ids, \
         ARRAY(SELECT gb.block_id FROM group_blocks gb WHERE gb.group_id = g.id ORDER BY gb.position) AS block_ids"
    };
}
pub(crate) use group_columns;

/// The tables of [`GroupRow`]: groups `g` with what their companions wait for, where they have any.
macro_rules! group_tables {
    () => {
        "groups g LEFT JOIN group_sleep s ON s.group_id = g.id"
    };
}
pub(crate) use group_tables;

#[derive(FromRow)]
pub(crate) struct GroupRow {
    pub id: Uuid,
    manager_type: String,
    description: String,
    manager_agent_id: Option<Uuid>,
    termination_token: Option<String>,
    max_turns: Option<i32>,
    sleeptime_agent_frequency: Option<i32>,
    max_message_buffer_length: Option<i32>,
    min_message_buffer_length: Option<i32>,
    turns_counter: Option<i64>,
    last_processed_message_id: Option<Uuid>,
    project_id: Option<String>,
    template_id: Option<String>,
    base_template_id: Option<String>,
    hidden: Option<bool>,
    created_at: Time,
    updated_at: Time,
    idle_ms: Option<i64>,
    #[sqlx(flatten)]
    when: WhenRow,
    agent_ids: Vec<Uuid>,
    block_ids: Vec<Uuid>,
}

impl GroupRow {
    fn manager(&self) -> Result<ManagerConfig, StoreError> {
        const T: &str = "groups";
        let manager_type = ManagerType::parse(&self.manager_type)
            .ok_or_else(|| corrupt(T, "manager_type", self.id, format!("no such type: {}", self.manager_type)))?;
        let manager = || {
            self.manager_agent_id
                .map(AgentId)
                .ok_or_else(|| corrupt(T, "manager_agent_id", self.id, "a group of this type has a manager"))
        };
        Ok(match manager_type {
            ManagerType::RoundRobin => ManagerConfig::RoundRobin { max_turns: self.max_turns },
            ManagerType::Supervisor => ManagerConfig::Supervisor { manager_agent_id: manager()? },
            ManagerType::Dynamic => ManagerConfig::Dynamic {
                manager_agent_id: manager()?,
                termination_token: self.termination_token.clone(),
                max_turns: self.max_turns,
            },
            ManagerType::Sleeptime => ManagerConfig::Sleeptime {
                manager_agent_id: manager()?,
                frequency: self.sleeptime_agent_frequency,
                also: SleepTriggers { idle_ms: self.idle_ms, when: self.when.clone().some("group_sleep", self.id)? },
            },
            ManagerType::VoiceSleeptime => ManagerConfig::VoiceSleeptime {
                manager_agent_id: manager()?,
                max_message_buffer_length: self.max_message_buffer_length,
                min_message_buffer_length: self.min_message_buffer_length,
            },
        })
    }
}

impl TryFrom<GroupRow> for Group {
    type Error = StoreError;

    fn try_from(row: GroupRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            manager: row.manager()?,
            description: row.description,
            agent_ids: row.agent_ids.into_iter().map(AgentId).collect(),
            shared_block_ids: row.block_ids.into_iter().map(BlockId).collect(),
            turns_counter: row.turns_counter,
            last_processed_message_id: row.last_processed_message_id.map(MessageId),
            project_id: row.project_id,
            template_id: row.template_id,
            base_template_id: row.base_template_id,
            hidden: row.hidden,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// The columns that a policy's settings are kept in.
#[derive(Debug, Default)]
pub(crate) struct ManagerColumns<'a> {
    pub manager_agent_id: Option<Uuid>,
    pub termination_token: Option<&'a str>,
    pub max_turns: Option<i32>,
    pub frequency: Option<i32>,
    pub max_buffer: Option<i32>,
    pub min_buffer: Option<i32>,
    pub idle_ms: Option<i64>,
    pub when: Option<&'a When>,
}

impl<'a> From<&'a ManagerConfig> for ManagerColumns<'a> {
    fn from(config: &'a ManagerConfig) -> Self {
        let mut out = Self { manager_agent_id: config.manager_agent_id().map(|a| a.0), ..Self::default() };
        match config {
            ManagerConfig::Supervisor { .. } => {}
            ManagerConfig::RoundRobin { max_turns } => out.max_turns = *max_turns,
            ManagerConfig::Dynamic { termination_token, max_turns, .. } => {
                out.termination_token = termination_token.as_deref();
                out.max_turns = *max_turns;
            }
            ManagerConfig::Sleeptime { frequency, also, .. } => {
                out.frequency = *frequency;
                out.idle_ms = also.idle_ms;
                out.when = also.when.as_ref();
            }
            ManagerConfig::VoiceSleeptime { max_message_buffer_length, min_message_buffer_length, .. } => {
                out.max_buffer = *max_message_buffer_length;
                out.min_buffer = *min_message_buffer_length;
            }
        }
        out
    }
}
