//! `groups`, with `group_agents`, `group_blocks` and `group_sleep`.

use engram_domain::{AgentId, BlockId, Group, ManagerConfig, ManagerType, MessageId, Time, group::SleepTriggers};
use sqlx::{FromRow, Postgres, postgres::PgArguments, query::Query};
use uuid::Uuid;

use super::WhenRow;
use crate::{StoreError, json::corrupt};

/// Columns of [`GroupRow`], for `FROM` [`group_tables`].
macro_rules! group_columns {
    () => {
        concat!(
            "g.id, g.description, g.project_id, g.template_id, g.base_template_id, g.hidden, g.created_at, \
             g.updated_at, s.turns_counter, s.last_processed_message_id, g.manager_type, g.manager_agent_id, \
             g.termination_token, g.max_turns, s.sleeptime_agent_frequency, s.max_message_buffer_length, \
             s.min_message_buffer_length, s.idle_ms, ",
            $crate::rows::when_columns!("s"),
            ", ARRAY(SELECT ga.agent_id FROM group_agents ga WHERE ga.group_id = g.id ORDER BY ga.position) AS agent_ids, \
             ARRAY(SELECT gb.block_id FROM group_blocks gb WHERE gb.group_id = g.id ORDER BY gb.position) AS block_ids"
        )
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
    description: String,
    project_id: Option<String>,
    template_id: Option<String>,
    base_template_id: Option<String>,
    hidden: Option<bool>,
    created_at: Time,
    updated_at: Time,
    turns_counter: Option<i64>,
    last_processed_message_id: Option<Uuid>,
    #[sqlx(flatten)]
    manager: ManagerColumns,
    agent_ids: Vec<Uuid>,
    block_ids: Vec<Uuid>,
}

/// The columns that the settings of a manager are kept in. Those that its type does not have are empty. The first four
/// are in `groups`, the others, and copies of the first two, in `group_sleep`.
#[derive(Debug, Default, FromRow)]
pub(crate) struct ManagerColumns {
    manager_type: String,
    manager_agent_id: Option<Uuid>,
    termination_token: Option<String>,
    max_turns: Option<i32>,
    sleeptime_agent_frequency: Option<i32>,
    max_message_buffer_length: Option<i32>,
    min_message_buffer_length: Option<i32>,
    idle_ms: Option<i64>,
    #[sqlx(flatten)]
    when: WhenRow,
}

/// What [`ManagerColumns::bind`] binds.
macro_rules! manager_columns {
    () => {
        "manager_type, manager_agent_id, termination_token, max_turns"
    };
}
pub(crate) use manager_columns;

type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

impl ManagerColumns {
    /// The settings of a group's manager. `group` is for the error.
    fn config(self, group: Uuid) -> Result<ManagerConfig, StoreError> {
        const T: &str = "groups";
        let manager_type = ManagerType::parse(&self.manager_type)
            .ok_or_else(|| corrupt(T, "manager_type", group, format!("no such type: {}", self.manager_type)))?;
        let manager = || {
            self.manager_agent_id
                .map(AgentId)
                .ok_or_else(|| corrupt(T, "manager_agent_id", group, "a group of this type has a manager"))
        };
        Ok(match manager_type {
            ManagerType::RoundRobin => ManagerConfig::RoundRobin { max_turns: self.max_turns },
            ManagerType::Supervisor => ManagerConfig::Supervisor { manager_agent_id: manager()? },
            ManagerType::Dynamic => ManagerConfig::Dynamic {
                manager_agent_id: manager()?,
                termination_token: self.termination_token,
                max_turns: self.max_turns,
            },
            ManagerType::Sleeptime => ManagerConfig::Sleeptime {
                manager_agent_id: manager()?,
                frequency: self.sleeptime_agent_frequency,
                also: SleepTriggers { idle_ms: self.idle_ms, when: self.when.some("group_sleep", group)? },
            },
            ManagerType::VoiceSleeptime => ManagerConfig::VoiceSleeptime {
                manager_agent_id: manager()?,
                max_message_buffer_length: self.max_message_buffer_length,
                min_message_buffer_length: self.min_message_buffer_length,
            },
        })
    }

    /// Binds what is in `groups`, in the order of [`manager_columns`].
    pub fn bind(self, query: PgQuery<'_>) -> PgQuery<'_> {
        query.bind(self.manager_type).bind(self.manager_agent_id).bind(self.termination_token).bind(self.max_turns)
    }

    /// Binds what is in `group_sleep`: `manager_type`, `manager_agent_id`, `sleeptime_agent_frequency`,
    /// `max_message_buffer_length`, `min_message_buffer_length`, `idle_ms`, and what [`WhenRow::bind`] binds.
    pub fn bind_sleep(self, query: PgQuery<'_>) -> PgQuery<'_> {
        let query = query
            .bind(self.manager_type)
            .bind(self.manager_agent_id)
            .bind(self.sleeptime_agent_frequency)
            .bind(self.max_message_buffer_length)
            .bind(self.min_message_buffer_length)
            .bind(self.idle_ms);
        self.when.bind(query)
    }
}

impl TryFrom<GroupRow> for Group {
    type Error = StoreError;

    fn try_from(row: GroupRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            manager: row.manager.config(row.id)?,
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

impl From<&ManagerConfig> for ManagerColumns {
    fn from(config: &ManagerConfig) -> Self {
        let mut out = Self {
            manager_type: config.manager_type().as_str().to_owned(),
            manager_agent_id: config.manager_agent_id().map(|a| a.0),
            ..Self::default()
        };
        match config {
            ManagerConfig::Supervisor { .. } => {}
            ManagerConfig::RoundRobin { max_turns } => out.max_turns = *max_turns,
            ManagerConfig::Dynamic { termination_token, max_turns, .. } => {
                out.termination_token.clone_from(termination_token);
                out.max_turns = *max_turns;
            }
            ManagerConfig::Sleeptime { frequency, also, .. } => {
                out.sleeptime_agent_frequency = *frequency;
                out.idle_ms = also.idle_ms;
                out.when = also.when.as_ref().map(WhenRow::from).unwrap_or_default();
            }
            ManagerConfig::VoiceSleeptime { max_message_buffer_length, min_message_buffer_length, .. } => {
                out.max_message_buffer_length = *max_message_buffer_length;
                out.min_message_buffer_length = *min_message_buffer_length;
            }
        }
        out
    }
}
