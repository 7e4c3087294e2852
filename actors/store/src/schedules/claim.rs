//! From a schedule whose time has come to a run.

use async_trait::async_trait;
use engram_core::{
    ports::{Ids, Schedules, store::ScheduledRun},
    schedule,
};
use engram_domain::{AgentId, RequestKey, RunId, RunType, ScheduleId, Time};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::{
    Result, Store,
    accept::insert_runs,
    error::db,
    rows::{WhenRow, when_columns},
};

#[derive(FromRow)]
struct Row {
    id: Uuid,
    agent_id: Uuid,
    next_at: Time,
    #[sqlx(flatten)]
    when: WhenRow,
}

#[async_trait]
impl Schedules for Store {
    /// One transaction. A time has come when it has by the database's clock too: a node whose clock is ahead begins nothing
    /// early. What was missed is made up for by one run. A schedule whose last run has not ended stays due;
    /// one that another node has, or whose agent is being deleted, is passed over.
    async fn begin_scheduled(&self, now: Time, limit: i64, ids: &dyn Ids) -> Result<Vec<ScheduledRun>> {
        let mut tx = self.pool.begin().await.map_err(db)?;
        // The agent's row is locked as the foreign key of the run will lock it, but without waiting: a
        // deletion of the agent would in turn wait for the schedule.
        let rows = sqlx::query_as::<_, Row>(concat!(
            "SELECT s.id, s.agent_id, s.next_at, ",
            when_columns!("s"),
            " FROM schedules s JOIN agents a ON a.id = s.agent_id
             WHERE s.next_at <= least($1, now()) AND NOT EXISTS (
                 SELECT FROM runs r WHERE r.id = s.last_run_id AND r.status IN ('created', 'running')
             )
             ORDER BY s.next_at, s.id LIMIT $2
             FOR NO KEY UPDATE OF s SKIP LOCKED FOR KEY SHARE OF a SKIP LOCKED",
        ))
        .bind(now)
        .bind(limit)
        .fetch_all(&mut *tx)
        .await
        .map_err(db)?;
        let due: Vec<ScheduledRun> = rows.into_iter().map(|row| due(row, now, ids)).collect();
        if !due.is_empty() {
            store(&mut tx, &due, now).await?;
        }
        tx.commit().await.map_err(db)?;
        Ok(due)
    }
}

/// A schedule that cannot be read or reckoned with any more is due for the last time: it must not keep
/// the others waiting.
fn due(row: Row, now: Time, ids: &dyn Ids) -> ScheduledRun {
    let next_at = match row.when.when("schedules", row.id) {
        Ok(when) => schedule::following(&when, row.next_at, now).unwrap_or_else(|error| {
            tracing::error!(schedule = %row.id, %error, "a schedule has no next time");
            None
        }),
        Err(error) => {
            tracing::error!(%error, "a schedule cannot be read");
            None
        }
    };
    ScheduledRun {
        schedule_id: ScheduleId(row.id),
        agent_id: AgentId(row.agent_id),
        run_id: RunId(ids.uuid()),
        due_at: row.next_at,
        next_at,
    }
}

/// The runs, their keys, and the next times. A scheduled run always waits for its turn, whatever the busy policy of its
/// agent is.
async fn store(conn: &mut PgConnection, due: &[ScheduledRun], now: Time) -> Result<()> {
    let schedules: Vec<Uuid> = due.iter().map(|d| d.schedule_id.0).collect();
    let runs: Vec<Uuid> = due.iter().map(|d| d.run_id.0).collect();
    let keys: Vec<String> = due.iter().map(|d| RequestKey::schedule(d.schedule_id, d.due_at).to_string()).collect();
    let names: Vec<String> = due.iter().map(|d| d.schedule_id.to_string()).collect();
    let next: Vec<Option<Time>> = due.iter().map(|d| d.next_at).collect();
    sqlx::query(concat!(
        "WITH due AS (
            SELECT d.*, s.agent_id, a.organization_id, s.input, s.callback_url
            FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS d (schedule_id, run_id, key, name)
            JOIN schedules s ON s.id = d.schedule_id JOIN agents a ON a.id = s.agent_id
        ), stored AS (",
        insert_runs!(
            "(SELECT run_id AS id, organization_id, agent_id, agent_id AS conversation_id, NULL::uuid AS group_id,
                     NULL::uuid AS parent_run_id, input, true AS background, $6::text AS run_type,
                     json_build_object('schedule_id', name) AS metadata, callback_url, $7::timestamptz AS created_at,
                     false AS interrupts FROM due) n"
        ),
        "), named AS (
            INSERT INTO run_keys (owner_id, key, run_id) SELECT agent_id, key, run_id FROM due
        )
        UPDATE schedules s SET last_at = s.next_at, next_at = n.next_at, last_run_id = n.run_id, runs = s.runs + 1
        FROM unnest($1::uuid[], $2::uuid[], $5::timestamptz[]) AS n (schedule_id, run_id, next_at)
        WHERE s.id = n.schedule_id"
    ))
    .bind(schedules)
    .bind(runs)
    .bind(keys)
    .bind(names)
    .bind(next)
    .bind(RunType::ScheduledMessage.as_str())
    .bind(now)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
