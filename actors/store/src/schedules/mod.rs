//! Messages that are sent at a time.
//!
//! Invariants: a schedule that is due becomes a run in the transaction that moves it to its next time
//! ([`engram_core::ports::store::ScheduledRun`]), so each time is a run exactly once, whoever claims it; a run that has not ended keeps its
//! schedule's next one waiting.

mod claim;

use engram_domain::{AgentId, Schedule, ScheduleId};
use sqlx::QueryBuilder;

use crate::{
    Page, Result, ScopedStore, StoreError,
    error::db,
    json::AsJson,
    keyset::Key,
    rows::{ScheduleRow, WhenRow, schedule_columns},
};

const KEY: Key = Key { from: "schedules s", column: "s.created_at", id: "s.id" };

impl ScopedStore {
    /// Creates a schedule. [`crate::StoreError::Invalid`] when there is no such agent.
    pub async fn create_schedule(&self, s: &Schedule) -> Result<()> {
        let query = sqlx::query(
            "INSERT INTO schedules (kind, scheduled_at, cron, timezone, every_seconds, id, agent_id, input, \
             callback_url, next_at, created_at) SELECT $1, $2, $3, $4, $5, $6, a.id, $8, $9, $10, $11 FROM agents a \
             WHERE a.id = $7 AND a.organization_id = coalesce($12, a.organization_id)",
        );
        let done = WhenRow::from(&s.when)
            .bind(query)
            .bind(s.id.0)
            .bind(s.agent_id.0)
            .bind(AsJson(&s.input))
            .bind(&s.callback_url)
            .bind(s.next_at)
            .bind(s.created_at)
            .bind(self.org())
            .execute(&self.store.queries)
            .await
            .map_err(db)?;
        if done.rows_affected() > 0 { Ok(()) } else { Err(StoreError::Invalid("the agent does not exist".into())) }
    }

    /// A schedule of an agent.
    pub async fn schedule(&self, agent: AgentId, id: ScheduleId) -> Result<Option<Schedule>> {
        sqlx::query_as::<_, ScheduleRow>(concat!(
            "SELECT ",
            schedule_columns!(),
            " FROM schedules s JOIN agents a ON a.id = s.agent_id LEFT JOIN runs r ON r.id = s.last_run_id
              WHERE s.id = $1 AND a.id = $2 AND a.organization_id = coalesce($3, a.organization_id)"
        ))
        .bind(id.0)
        .bind(agent.0)
        .bind(self.org())
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?
        .map(Schedule::try_from)
        .transpose()
    }

    /// A page of an agent's schedules, those that are over too.
    pub async fn schedules(&self, agent: AgentId, page: Page) -> Result<Vec<Schedule>> {
        let mut q = QueryBuilder::new(concat!(
            "SELECT ",
            schedule_columns!(),
            " FROM schedules s JOIN agents a ON a.id = s.agent_id LEFT JOIN runs r ON r.id = s.last_run_id WHERE a.id = "
        ));
        q.push_bind(agent.0);
        self.push_scope(&mut q, "a.organization_id");
        self.push_page(&mut q, KEY, page).await?;
        q.build_query_as::<ScheduleRow>()
            .fetch_all(&self.store.queries)
            .await
            .map_err(db)?
            .into_iter()
            .map(Schedule::try_from)
            .collect()
    }

    /// Deletes a schedule. Runs that it has begun go on. False when the agent has no such schedule.
    pub async fn delete_schedule(&self, agent: AgentId, id: ScheduleId) -> Result<bool> {
        let done = sqlx::query(
            "DELETE FROM schedules s USING agents a WHERE s.id = $1 AND s.agent_id = $2 AND a.id = s.agent_id
             AND a.organization_id = coalesce($3, a.organization_id)",
        )
        .bind(id.0)
        .bind(agent.0)
        .bind(self.org())
        .execute(&self.store.queries)
        .await
        .map_err(db)?;
        Ok(done.rows_affected() > 0)
    }
}
