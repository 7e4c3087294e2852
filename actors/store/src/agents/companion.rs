//! The companion that works on an agent's memory in the background: it comes with the agent or later, and goes with
//! it or before.
//!
//! Invariants: an agent leads one group of companions at most that was made here; companion and group are
//! created in one transaction, and go in one.

use engram_domain::{AgentId, Group, OrgId, Scope};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{NewAgent, bump, create, organization_of};
use crate::{Result, ScopedStore, again::again, error::db, groups, scoped::org, secrets::Vault};

/// Conditions on an agent `a`: it is a companion in a background group that `$1` leads, and in no group of
/// anybody else.
macro_rules! companion_of_nobody_else {
    () => {
        "a.agent_type IN ('sleeptime_agent', 'voice_sleeptime_agent')
         AND a.id IN (
            SELECT ga.agent_id FROM groups g JOIN group_agents ga ON ga.group_id = g.id
            WHERE g.manager_agent_id = $1 AND g.manager_type IN ('sleeptime', 'voice_sleeptime')
         )
         AND NOT EXISTS (
            SELECT FROM groups g JOIN group_agents ga ON ga.group_id = g.id
            WHERE ga.agent_id = a.id AND g.manager_agent_id IS DISTINCT FROM $1
         )"
    };
}
pub(super) use companion_of_nobody_else;

/// A companion and the group in which it serves its agent.
#[derive(Debug, Clone)]
pub struct NewCompanion {
    /// The companion. It may share blocks that are created together with its agent.
    pub agent: NewAgent,
    /// The group, which its agent leads.
    pub group: Group,
}

impl ScopedStore {
    /// Creates an agent together with its companion. All of it happens or none of it.
    pub async fn create_agent_with_companion(&self, new: &NewAgent, companion: &NewCompanion) -> Result<()> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        create::insert(&mut tx, &self.store.vault, self.owner()?, new).await?;
        insert(&mut tx, &self.store.vault, self.owner()?, companion).await?;
        tx.commit().await.map_err(db)
    }

    /// Whether an agent leads a group that works in the background.
    pub async fn has_companions(&self, main: AgentId) -> Result<bool> {
        let mut conn = self.store.queries.acquire().await.map_err(db)?;
        leads(&mut conn, self.scope, main).await
    }

    /// Deletes the background groups that an agent leads, and the companions in them that are in no group
    /// of anybody else. Blocks stay. Nothing happens where there are none.
    pub async fn remove_companions(&self, main: AgentId) -> Result<()> {
        again(|| self.try_remove_companions(main)).await
    }

    async fn try_remove_companions(&self, main: AgentId) -> Result<()> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        lock_with_companions(&mut tx, main).await?;
        if !leads(&mut tx, self.scope, main).await? {
            return Ok(());
        }
        remove(&mut tx, main).await?;
        tx.commit().await.map_err(db)
    }
}

/// Deletes what [`ScopedStore::remove_companions`] says. The agent and its companions are locked.
pub(super) async fn remove(conn: &mut PgConnection, main: AgentId) -> Result<()> {
    sqlx::query(concat!(
        "WITH doomed AS (SELECT id FROM agents a WHERE ",
        companion_of_nobody_else!(),
        " ORDER BY id FOR UPDATE) DELETE FROM agents WHERE id IN (SELECT id FROM doomed)"
    ))
    .bind(main.0)
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    sqlx::query("DELETE FROM groups WHERE manager_agent_id = $1 AND manager_type IN ('sleeptime', 'voice_sleeptime')")
        .bind(main.0)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    // A voice agent keeps a longer context without them.
    bump(conn, &[main.0]).await
}

/// A companion for an agent that leads no background group; nothing for one that does. The agent is locked.
pub(super) async fn insert_unless_leading(
    conn: &mut PgConnection,
    vault: &Vault,
    main: AgentId,
    companion: &NewCompanion,
) -> Result<()> {
    if leads(conn, Scope::System, main).await? {
        return Ok(());
    }
    let organization = organization_of(conn, main).await?;
    insert(conn, vault, organization, companion).await
}

async fn insert(conn: &mut PgConnection, vault: &Vault, organization: OrgId, companion: &NewCompanion) -> Result<()> {
    create::insert(conn, vault, organization, &companion.agent).await?;
    groups::insert(conn, organization, &companion.group).await
}

async fn leads(conn: &mut PgConnection, scope: Scope, main: AgentId) -> Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM groups WHERE manager_agent_id = $1
                        AND manager_type IN ('sleeptime', 'voice_sleeptime')
                        AND organization_id = coalesce($2, organization_id))",
    )
    .bind(main.0)
    .bind(org(scope))
    .fetch_one(conn)
    .await
    .map_err(db)
}

/// Locks an agent and its companions in the order of their ids, for what will change them all. Returns the
/// companions.
pub(super) async fn lock_with_companions(conn: &mut PgConnection, main: AgentId) -> Result<Vec<Uuid>> {
    let locked: Vec<Uuid> = sqlx::query_scalar(
        "SELECT a.id FROM agents a WHERE a.id = $1 OR a.agent_type IN ('sleeptime_agent', 'voice_sleeptime_agent')
             AND a.id IN (SELECT ga.agent_id FROM groups g JOIN group_agents ga ON ga.group_id = g.id
                          WHERE g.manager_agent_id = $1 AND g.manager_type IN ('sleeptime', 'voice_sleeptime'))
         ORDER BY a.id FOR NO KEY UPDATE",
    )
    .bind(main.0)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    Ok(locked.into_iter().filter(|id| *id != main.0).collect())
}

/// Gives a block that an agent got to its companions too. One that has another block of this label goes
/// without.
pub(super) async fn share(conn: &mut PgConnection, companions: &[Uuid], block: Uuid, label: &str) -> Result<()> {
    if companions.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO agent_blocks (agent_id, block_id, position, label)
         SELECT a.id, $2, 1 + COALESCE((SELECT max(position) FROM agent_blocks WHERE agent_id = a.id), 0), $3
         FROM unnest($1::uuid[]) AS a (id) ON CONFLICT DO NOTHING",
    )
    .bind(companions)
    .bind(block)
    .bind(label)
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    bump(conn, companions).await
}
