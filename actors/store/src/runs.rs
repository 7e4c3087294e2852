//! Runs outside the commits of their actors: read, found again after a crash, ended when nobody drives them, deleted.

use async_trait::async_trait;
use engram_core::ports::Runs;
use engram_domain::{AgentId, Message, Run, RunId, RunOwner, RunStatus, StopReason, Time};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::{
    Page, Result, ScopedStore, Store,
    error::db,
    keyset::Key,
    rows::{MessageRow, RunRow, message_columns, run_columns},
    weight::{self, Weight},
};

const KEY: Key = Key { from: "runs r", column: "r.created_at", id: "r.id" };

macro_rules! open_runs {
    ($owner:literal) => {
        concat!(
            "SELECT id FROM runs WHERE ",
            $owner,
            " = $1 AND status IN ('created', 'running') ORDER BY status = 'running' DESC, accepted"
        )
    };
}

/// Which runs are wanted. The default: all.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// In conversations of any of these agents.
    pub agent_ids: Vec<AgentId>,
    /// In any of these states.
    pub statuses: Vec<RunStatus>,
    /// Only those that are not over.
    pub active: bool,
    /// Belonging to this.
    pub owner: Option<RunOwner>,
    /// Whether the caller did not wait.
    pub background: Option<bool>,
    /// Ended for this reason.
    pub stop_reason: Option<StopReason>,
}

#[async_trait]
impl Runs for Store {
    async fn run(&self, id: RunId) -> Result<Option<Run>> {
        self.for_engine().run(id).await
    }

    /// Empty when there is no such run.
    async fn messages_of(&self, run: RunId) -> Result<Vec<Message>> {
        let participants = self.participants(run).await?;
        // What a group's manager says leads the others, and is not shown.
        let manager = participants.as_ref().and_then(|all| all.manager.as_ref()).map(|manager| manager.id.0);
        let rows: Vec<MessageRow> = sqlx::query_as(concat!(
            "SELECT ",
            message_columns!(),
            " FROM runs r JOIN messages m ON m.conversation_id = r.conversation_id AND m.seq >= r.first_seq
              AND m.seq < r.end_seq AND m.run_id = r.id
              WHERE r.id = $1 OR r.parent_run_id = $1 AND m.role IN ('assistant', 'tool')
                                 AND r.agent_id IS DISTINCT FROM $2
              ORDER BY r.created_at, r.id, m.seq"
        ))
        .bind(run.0)
        .bind(manager)
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        let mut messages = rows.into_iter().map(Message::try_from).collect::<Result<Vec<_>>>()?;
        if let Some(participants) = participants {
            participants.name(&mut messages);
        }
        Ok(messages)
    }

    /// One that was begun comes before all others, or another's turn would get in the middle of its own.
    async fn open_runs(&self, owner: RunOwner) -> Result<Vec<RunId>> {
        let (sql, owner) = match owner {
            RunOwner::Conversation(id) => (open_runs!("conversation_id"), id.0),
            RunOwner::Group(id) => (open_runs!("group_id"), id.0),
        };
        let ids = sqlx::query_scalar(sql).bind(owner).fetch_all(&self.pool).await.map_err(db)?;
        Ok(ids.into_iter().map(RunId).collect())
    }

    async fn end_run(&self, id: RunId, stop_reason: StopReason, error: Option<&str>, now: Time) -> Result<bool> {
        end(&self.pool, id, stop_reason, error, now).await
    }
}

impl ScopedStore {
    /// A run with its input.
    pub async fn run(&self, id: RunId) -> Result<Option<Run>> {
        sqlx::query_as::<_, RunRow>(concat!(
            "SELECT ",
            run_columns!(),
            " FROM runs r WHERE r.id = $1 AND r.organization_id = coalesce($2, r.organization_id)"
        ))
        .bind(id.0)
        .bind(self.org())
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?
        .map(Run::try_from)
        .transpose()
    }

    /// A page of runs.
    pub async fn runs(&self, filter: &RunFilter, page: Page) -> Result<Vec<Run>> {
        let mut q = weight::RUN.open(page, concat!("SELECT ", run_columns!(), " FROM runs r WHERE true"));
        self.push_scope(&mut q, "r.organization_id");
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
        match filter.owner {
            Some(RunOwner::Conversation(id)) => drop(q.push(" AND r.conversation_id = ").push_bind(id.0)),
            Some(RunOwner::Group(id)) => drop(q.push(" AND r.group_id = ").push_bind(id.0)),
            None => {}
        }
        if let Some(background) = filter.background {
            q.push(" AND r.background = ").push_bind(background);
        }
        if let Some(reason) = filter.stop_reason {
            q.push(" AND r.stop_reason = ").push_bind(reason.as_str());
        }
        self.push_page(&mut q, KEY, page).await?;
        Weight::close(page, &mut q);
        q.build_query_as::<RunRow>()
            .fetch_all(&self.store.queries)
            .await
            .map_err(db)?
            .into_iter()
            .map(Run::try_from)
            .collect()
    }

    /// Deletes a run and its steps; its messages stay in the conversation. An actor that still
    /// drives it ends with its next commit. False when there is no such run.
    pub async fn delete_run(&self, id: RunId) -> Result<bool> {
        let done = sqlx::query("DELETE FROM runs WHERE id = $1 AND organization_id = coalesce($2, organization_id)")
            .bind(id.0)
            .bind(self.org())
            .execute(&self.store.queries)
            .await
            .map_err(db)?;
        Ok(done.rows_affected() > 0)
    }
}

/// Ends a run unless it is over.
pub(crate) async fn end(
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
