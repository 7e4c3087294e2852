//! Agents: their rows and what is attached to them.
//!
//! Invariants: an agent, its variables, blocks, tools, default conversation and first messages are
//! created in one transaction; every change of what a live agent has loaded bumps its `rev` in the
//! transaction of the change ([`bump`]); lists read one query a relation for the whole page, and
//! never a message's content.
//!
//! Where to look: `create`, `modify`, `list` for the row; `attach` for what hangs on it; `companion` for the
//! agent that works on its memory in the background, `ephemeral` for one that does so once; `context` for what it has in
//! context; `relations` for reading that for many agents at once.

mod attach;
mod companion;
mod context;
mod create;
mod ephemeral;
mod list;
mod modify;
mod relations;

use engram_domain::{Agent, AgentId, EnvVar, OrgId, Scope, Time};
use sqlx::PgConnection;
use uuid::Uuid;

pub use attach::Attached;
pub(crate) use attach::link_archive;
pub use companion::NewCompanion;
use companion::companion_of_nobody_else;
pub use context::{Context, ContextCut};
pub use create::NewAgent;
pub use ephemeral::NewEphemeral;
pub use list::{AgentFilter, AgentSort};
pub use modify::{AgentPatch, CompanionChange};
pub use relations::{Relations, Wanted};

use crate::{
    Result, ScopedStore, StoreError,
    again::again,
    error::db,
    rows::{AgentRow, EnvRow, agent_columns},
    scoped::org,
};

impl ScopedStore {
    /// An agent's configuration.
    pub async fn agent(&self, id: AgentId) -> Result<Option<Agent>> {
        let row = sqlx::query_as::<_, AgentRow>(concat!(
            "SELECT ",
            agent_columns!(),
            " FROM agents a LEFT JOIN conversations d ON d.id = a.id
              WHERE a.id = $1 AND a.organization_id = coalesce($2, a.organization_id)"
        ))
        .bind(id.0)
        .bind(self.org())
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?;
        let Some(row) = row else { return Ok(None) };
        let env = sqlx::query_as::<_, EnvRow>(
            "SELECT id, agent_id, key, value, description FROM agent_env WHERE agent_id = $1 ORDER BY key",
        )
        .bind(id.0)
        .fetch_all(&self.store.queries)
        .await
        .map_err(db)?;
        row.into_agent(env.into_iter().map(|row| self.variable(row)).collect::<Result<_>>()?).map(Some)
    }

    /// A variable as this caller may see it.
    fn variable(&self, row: EnvRow) -> Result<EnvVar> {
        if self.shows_secrets { row.open(&self.store.vault) } else { Ok(row.hide()) }
    }

    /// Whether there is such an agent.
    pub async fn agent_exists(&self, id: AgentId) -> Result<bool> {
        Ok(self.missing_agent(&[id]).await?.is_none())
    }

    /// The first of these agents that does not exist.
    pub async fn missing_agent(&self, ids: &[AgentId]) -> Result<Option<AgentId>> {
        let ids: Vec<Uuid> = ids.iter().map(|a| a.0).collect();
        let missing: Option<Uuid> = sqlx::query_scalar(
            "SELECT n.id FROM unnest($1::uuid[]) WITH ORDINALITY AS n (id, place)
             WHERE NOT EXISTS (SELECT FROM agents a WHERE a.id = n.id AND a.organization_id = coalesce($2, a.organization_id))
             ORDER BY n.place LIMIT 1",
        )
        .bind(ids)
        .bind(self.org())
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?;
        Ok(missing.map(AgentId))
    }

    /// Deletes an agent with its conversations, runs, steps, messages and schedules, the groups that it
    /// manages, and the companions that work in those on its memory and in no other group. Blocks and
    /// archives stay: others may use them. False when there is no such agent.
    pub async fn delete_agent(&self, id: AgentId) -> Result<bool> {
        let deleted: Vec<Uuid> = again(|| async {
            sqlx::query_scalar(concat!(
                "WITH doomed AS (SELECT id FROM agents a WHERE (a.id = $1 OR ",
                companion_of_nobody_else!(),
                ") AND a.organization_id = coalesce($2, a.organization_id) ORDER BY id FOR UPDATE)
                 DELETE FROM agents WHERE id IN (SELECT id FROM doomed) RETURNING id"
            ))
            .bind(id.0)
            .bind(self.org())
            .fetch_all(&self.store.queries)
            .await
            .map_err(db)
        })
        .await?;
        Ok(deleted.contains(&id.0))
    }
}

/// Whose agent it is. [`StoreError::Invalid`] when there is no such agent.
pub(crate) async fn organization_of(conn: &mut PgConnection, agent: AgentId) -> Result<OrgId> {
    let organization: Option<Uuid> = sqlx::query_scalar("SELECT organization_id FROM agents WHERE id = $1")
        .bind(agent.0)
        .fetch_optional(conn)
        .await
        .map_err(db)?;
    organization.map(OrgId).ok_or_else(|| StoreError::Invalid("the agent does not exist".into()))
}

/// Tells live actors of these agents to load again. Rows are locked in the order of their ids, so
/// that two transactions that concern the same agents wait for each other instead of dead-locking.
pub(crate) async fn bump(conn: &mut PgConnection, agents: &[Uuid]) -> Result<()> {
    if agents.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE agents SET rev = rev + 1 WHERE id IN \
         (SELECT id FROM agents WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE)",
    )
    .bind(agents)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// As [`bump`], for one agent that the caller changed itself. False when there is no such agent in the scope.
pub(crate) async fn touch(conn: &mut PgConnection, scope: Scope, agent: AgentId, now: Time) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE agents SET rev = rev + 1, updated_at = $2
         WHERE id = $1 AND organization_id = coalesce($3, organization_id)",
    )
    .bind(agent.0)
    .bind(now)
    .bind(org(scope))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(done.rows_affected() > 0)
}
