//! The life of a run outside its actor: found again after a crash, ended when nobody drives it, or
//! whoever does cannot be reached.

use engram_domain::{ConversationId, RunId, StopReason, Time};
use sqlx::PgExecutor;

use crate::{Result, Store, error::db};

impl Store {
    /// Runs of a conversation that are not over, oldest first; but one that was begun before all others,
    /// or another's turn would get in the middle of its own.
    pub(crate) async fn open_runs_of(&self, conversation: ConversationId) -> Result<Vec<RunId>> {
        let ids = sqlx::query_scalar(
            "SELECT id FROM runs WHERE conversation_id = $1 AND status IN ('created', 'running')
             ORDER BY status = 'running' DESC, created_at, id",
        )
        .bind(conversation.0)
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        Ok(ids.into_iter().map(RunId).collect())
    }

    /// Ends a run unless it is over.
    pub(crate) async fn end_open_run(
        &self,
        id: RunId,
        stop_reason: StopReason,
        error: Option<&str>,
        now: Time,
    ) -> Result<bool> {
        end(&self.pool, id, stop_reason, error, now).await
    }

    /// Ends a run and takes its conversation from whoever has it. Nothing is taken when the run is over.
    /// The conversation's row is locked first, as by a commit, so of the two one waits for the other.
    pub(crate) async fn seize_run(&self, id: RunId, stop_reason: StopReason, now: Time) -> Result<bool> {
        let mut tx = self.pool.begin().await.map_err(db)?;
        sqlx::query(
            "UPDATE conversations c SET owner = NULL, epoch = c.epoch + 1, updated_at = $3,
                 last_run_completion = $3, last_stop_reason = $2,
                 last_run_duration_ms = (extract(epoch FROM $3 - r.created_at) * 1000)::bigint
             FROM runs r WHERE r.id = $1 AND c.id = r.conversation_id AND r.status IN ('created', 'running')",
        )
        .bind(id.0)
        .bind(stop_reason.as_str())
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        let ended = end(&mut *tx, id, stop_reason, None, now).await?;
        if ended {
            tx.commit().await.map_err(db)?;
        } else {
            tx.rollback().await.map_err(db)?;
        }
        Ok(ended)
    }
}

async fn end(
    executor: impl PgExecutor<'_>,
    id: RunId,
    stop_reason: StopReason,
    error: Option<&str>,
    now: Time,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE runs SET status = $2, stop_reason = $3, error = $4, updated_at = $5, completed_at = $5
         WHERE id = $1 AND status IN ('created', 'running')",
    )
    .bind(id.0)
    .bind(stop_reason.status().as_str())
    .bind(stop_reason.as_str())
    .bind(error)
    .bind(now)
    .execute(executor)
    .await
    .map_err(db)?;
    Ok(done.rows_affected() > 0)
}
