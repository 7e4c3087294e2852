//! Reading and deleting runs.

use engram_domain::{AgentId, ConversationId, Run, RunId, RunStatus, StopReason};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::{
    Page, Result, Store,
    error::db,
    keyset::Key,
    rows::{RunRow, run_columns},
};

const KEY: Key = Key { from: "runs r", column: "r.created_at", id: "r.id" };

/// Which runs are wanted. The default: all.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of any of these agents.
    pub agent_ids: Vec<AgentId>,
    /// In any of these states.
    pub statuses: Vec<RunStatus>,
    /// Only those that are not over.
    pub active: bool,
    /// In this conversation.
    pub conversation_id: Option<ConversationId>,
    /// Whether the caller did not wait.
    pub background: Option<bool>,
    /// Ended for this reason.
    pub stop_reason: Option<StopReason>,
}

impl Store {
    /// A run with its input.
    pub async fn run_by_id(&self, id: RunId) -> Result<Option<Run>> {
        sqlx::query_as::<_, RunRow>(concat!("SELECT ", run_columns!(), " FROM runs r WHERE r.id = $1"))
            .bind(id.0)
            .fetch_optional(&self.pool)
            .await
            .map_err(db)?
            .map(Run::try_from)
            .transpose()
    }

    /// A page of runs.
    pub async fn runs(&self, filter: &RunFilter, page: Page) -> Result<Vec<Run>> {
        let mut q = QueryBuilder::new(concat!("SELECT ", run_columns!(), " FROM runs r WHERE true"));
        if !filter.agent_ids.is_empty() {
            let ids: Vec<Uuid> = filter.agent_ids.iter().map(|id| id.0).collect();
            q.push(" AND r.agent_id = ANY(").push_bind(ids).push(")");
        }
        if !filter.statuses.is_empty() {
            let statuses: Vec<&str> = filter.statuses.iter().map(|s| s.as_str()).collect();
            q.push(" AND r.status = ANY(").push_bind(statuses).push(")");
        }
        if filter.active {
            // Word for word the condition of the partial index.
            q.push(" AND r.status IN ('created', 'running')");
        }
        if let Some(conversation) = filter.conversation_id {
            q.push(" AND r.conversation_id = ").push_bind(conversation.0);
        }
        if let Some(background) = filter.background {
            q.push(" AND r.background = ").push_bind(background);
        }
        if let Some(reason) = filter.stop_reason {
            q.push(" AND r.stop_reason = ").push_bind(reason.as_str());
        }
        self.push_page(&mut q, KEY, page).await?;
        q.build_query_as::<RunRow>().fetch_all(&self.pool).await.map_err(db)?.into_iter().map(Run::try_from).collect()
    }

    /// Deletes a run and its steps; its messages stay in the conversation. An actor that still
    /// drives it ends with its next commit. False when there is no such run.
    pub async fn delete_run(&self, id: RunId) -> Result<bool> {
        let done = sqlx::query("DELETE FROM runs WHERE id = $1").bind(id.0).execute(&self.pool).await.map_err(db)?;
        Ok(done.rows_affected() > 0)
    }
}
