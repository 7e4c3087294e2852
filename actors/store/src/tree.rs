//! What an administrator is shown of live agents: names, groups, schedules.

use engram_domain::{AgentId, ConversationId, Group, Schedule};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    Result, ScopedStore,
    error::db,
    rows::{GroupRow, ScheduleRow, group_columns, group_tables, schedule_columns},
};

/// As much of an agent as names it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct NamedAgent {
    /// Its id.
    #[sqlx(try_from = "Uuid")]
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// Its type, in the spelling of the wire.
    pub agent_type: String,
}

impl ScopedStore {
    /// Whose conversations these are. Those that are gone are left out.
    pub async fn agents_of(&self, conversations: &[ConversationId]) -> Result<Vec<(ConversationId, AgentId)>> {
        let ids: Vec<Uuid> = conversations.iter().map(|c| c.0).collect();
        let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
            "SELECT id, agent_id FROM conversations
             WHERE id = ANY($1) AND organization_id = coalesce($2, organization_id)",
        )
        .bind(ids)
        .bind(self.org())
        .fetch_all(&self.store.queries)
        .await
        .map_err(db)?;
        Ok(rows.into_iter().map(|(conversation, agent)| (conversation.into(), agent.into())).collect())
    }

    /// The names of these agents, in the order of names. Those that are gone are left out.
    pub async fn named_agents(&self, agents: &[AgentId]) -> Result<Vec<NamedAgent>> {
        let ids: Vec<Uuid> = agents.iter().map(|a| a.0).collect();
        sqlx::query_as(
            "SELECT id, name, agent_type FROM agents
             WHERE id = ANY($1) AND organization_id = coalesce($2, organization_id) ORDER BY name, id",
        )
        .bind(ids)
        .bind(self.org())
        .fetch_all(&self.store.queries)
        .await
        .map_err(db)
    }

    /// The groups that one of these agents is in or leads, or that are being spoken to, each with how many messages to
    /// it are not over; at most `limit`, the oldest first.
    pub async fn active_groups(&self, agents: &[AgentId], limit: i64) -> Result<Vec<(Group, i64)>> {
        let ids: Vec<Uuid> = agents.iter().map(|a| a.0).collect();
        let rows: Vec<GroupRow> = sqlx::query_as(concat!(
            "SELECT ",
            group_columns!(),
            " FROM ",
            group_tables!(),
            " WHERE g.id = ANY(ARRAY(SELECT id FROM groups WHERE manager_agent_id = ANY($1)
                             UNION ALL SELECT group_id FROM group_agents WHERE agent_id = ANY($1)
                             UNION ALL SELECT group_id FROM runs
                             WHERE group_id IS NOT NULL AND status IN ('created', 'running')))
              AND g.organization_id = coalesce($3, g.organization_id) ORDER BY g.created_at, g.id LIMIT $2"
        ))
        .bind(ids)
        .bind(limit)
        .bind(self.org())
        .fetch_all(&self.store.queries)
        .await
        .map_err(db)?;
        let open: Vec<(Uuid, i64)> = sqlx::query_as(
            "SELECT group_id, count(*) FROM runs WHERE group_id IS NOT NULL AND status IN ('created', 'running')
             GROUP BY group_id",
        )
        .fetch_all(&self.store.queries)
        .await
        .map_err(db)?;
        let count = |group: Uuid| open.iter().find(|(id, _)| *id == group).map_or(0, |(_, count)| *count);
        rows.into_iter()
            .map(|row| (count(row.id), row))
            .map(|(count, row)| Ok((Group::try_from(row)?, count)))
            .collect()
    }

    /// The schedules that are due again, the next one first, at most `limit`.
    pub async fn coming_schedules(&self, limit: i64) -> Result<Vec<Schedule>> {
        sqlx::query_as::<_, ScheduleRow>(concat!(
            "SELECT ",
            schedule_columns!(),
            " FROM schedules s JOIN agents a ON a.id = s.agent_id LEFT JOIN runs r ON r.id = s.last_run_id
              WHERE s.next_at IS NOT NULL AND a.organization_id = coalesce($2, a.organization_id)
              ORDER BY s.next_at, s.id LIMIT $1"
        ))
        .bind(limit)
        .bind(self.org())
        .fetch_all(&self.store.queries)
        .await
        .map_err(db)?
        .into_iter()
        .map(Schedule::try_from)
        .collect()
    }
}
