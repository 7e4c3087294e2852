//! The log of what a run has shown. Written before it is shown, so that a number that a reader has seen
//! means the same event on every node and after every crash.

use async_trait::async_trait;
use engram_core::ports::{Fence, LoggedEvent, RunLog};
use engram_domain::{RunId, Time};
use sqlx::FromRow;

use crate::{
    PAGE_BYTES, Page, Result, Store,
    again::again,
    error::db,
    json::RawJson,
    weight::{self, Weight},
};

#[derive(FromRow)]
struct EventRow {
    seq: i64,
    event: RawJson,
}

/// Events as parallel arrays.
#[derive(Default)]
pub(crate) struct EventColumns {
    pub seqs: Vec<i64>,
    /// As text, which keeps the order of members.
    pub events: Vec<String>,
}

impl EventColumns {
    /// Turns rows into columns.
    pub fn of(events: &[LoggedEvent]) -> Self {
        events.iter().fold(Self::default(), |mut columns, logged| {
            columns.seqs.push(logged.seq);
            columns.events.push(logged.event.to_string());
            columns
        })
    }
}

#[async_trait]
impl RunLog for Store {
    /// The conversation's row is locked for it: a claim
    /// that happens at the same time comes before or after, so nobody writes beside its successor. An
    /// event whose number is taken is [`crate::StoreError::Conflict`].
    async fn append_events(&self, fence: Fence, run: RunId, events: &[LoggedEvent]) -> Result<bool> {
        self.writes.note(again(|| self.try_append(fence, run, events)).await)
    }

    async fn events(&self, run: RunId, after: i64, limit: i64) -> Result<Vec<LoggedEvent>> {
        let page = Page { most_bytes: Some(PAGE_BYTES), ..Page::oldest(limit) };
        let mut q = weight::EVENT.open(page, "SELECT seq, event FROM run_events WHERE run_id = ");
        q.push_bind(run.0).push(" AND seq > ").push_bind(after).push(" ORDER BY seq LIMIT ").push_bind(limit);
        Weight::close(page, &mut q);
        let rows: Vec<EventRow> = q.build_query_as().fetch_all(&self.pool).await.map_err(db)?;
        rows.into_iter()
            .map(|row| Ok(LoggedEvent { seq: row.seq, event: row.event.parse("run_events", "event", run)? }))
            .collect()
    }

    async fn last_event(&self, run: RunId) -> Result<i64> {
        sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM run_events WHERE run_id = $1")
            .bind(run.0)
            .fetch_one(&self.pool)
            .await
            .map_err(db)
    }

    /// A day has passed by the database's clock as well, since the run was accepted and since its end as the node that
    /// ended it saw it: a node whose clock is wrong may keep events longer, and deletes none too early.
    async fn prune_events(&self, now: Time) -> Result<u64> {
        let done = sqlx::query(
            "DELETE FROM run_events e USING runs r
             WHERE r.id = e.run_id AND r.completed_at < least($1::timestamptz, now()) - interval '1 day'
               AND r.accepted_at < now() - interval '1 day'",
        )
        .bind(now)
        .execute(&self.pool)
        .await
        .map_err(db)?;
        Ok(done.rows_affected())
    }
}

impl Store {
    async fn try_append(&self, fence: Fence, run: RunId, events: &[LoggedEvent]) -> Result<bool> {
        let columns = EventColumns::of(events);
        let holds: i64 = sqlx::query_scalar(
            "WITH fence AS (
                SELECT c.id FROM conversations c
                WHERE c.id = $1 AND c.epoch = $2
                  AND EXISTS (SELECT FROM runs o WHERE o.id = $3 AND o.status IN ('created', 'running'))
                FOR NO KEY UPDATE
            ), logged AS (
                INSERT INTO run_events (run_id, seq, event)
                SELECT r.id, u.seq, u.event::json
                FROM fence, runs r, unnest($4::bigint[], $5::text[]) AS u (seq, event) WHERE r.id = $3
            )
            SELECT count(*) FROM fence",
        )
        .bind(fence.conversation_id.0)
        .bind(fence.epoch)
        .bind(run.0)
        .bind(columns.seqs)
        .bind(columns.events)
        .fetch_one(&self.pool)
        .await
        .map_err(db)?;
        Ok(holds > 0)
    }
}
