//! The life of a run outside its actor: acknowledged, found again after a crash, ended when nobody
//! drives it.

use engram_core::ports::NewRun;
use engram_domain::{ConversationId, RunId, StopReason, Time};

use crate::{Result, Store, error::db, json::AsJson};

impl Store {
    /// Stores a run, in one statement: its commit is the acknowledgement.
    pub(crate) async fn store_run(&self, run: &NewRun) -> Result<Option<i64>> {
        sqlx::query_scalar(
            "INSERT INTO runs (id, agent_id, conversation_id, status, input, background, run_type, metadata,
                               callback_url, created_at, updated_at)
             SELECT $1, c.agent_id, c.id, 'created', $4, $5, $6, $7, $8, $9, $9
             FROM conversations c WHERE c.id = $3 AND c.agent_id = $2
             RETURNING (SELECT a.rev FROM agents a WHERE a.id = agent_id)",
        )
        .bind(run.id.0)
        .bind(run.agent_id.0)
        .bind(run.conversation_id.0)
        .bind(AsJson(&run.input))
        .bind(run.background)
        .bind(&run.run_type)
        .bind(AsJson(&run.metadata))
        .bind(&run.callback_url)
        .bind(run.created_at)
        .fetch_optional(&self.pool)
        .await
        .map_err(db)
    }

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
        let done = sqlx::query(
            "UPDATE runs SET status = $2, stop_reason = $3, error = $4, updated_at = $5, completed_at = $5
             WHERE id = $1 AND status IN ('created', 'running')",
        )
        .bind(id.0)
        .bind(stop_reason.status().as_str())
        .bind(stop_reason.as_str())
        .bind(error)
        .bind(now)
        .execute(&self.pool)
        .await
        .map_err(db)?;
        Ok(done.rows_affected() > 0)
    }
}
