//! Who is in a group, and what they share.

use engram_domain::{AgentId, BlockId, Group, ManagerConfig, OrgId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, StoreError, error::db};

/// A group's manager is an agent of its organization.
pub(super) async fn check_manager(conn: &mut PgConnection, organization: OrgId, manager: &ManagerConfig) -> Result<()> {
    let Some(agent) = manager.manager_agent_id() else { return Ok(()) };
    if crate::agents::organization_of(conn, agent).await? == organization {
        Ok(())
    } else {
        Err(StoreError::Invalid("the agent does not exist".into()))
    }
}

/// Makes these the group's members. One of another organization is one that does not exist.
pub(super) async fn set_members(conn: &mut PgConnection, g: &Group) -> Result<()> {
    let ids: Vec<Uuid> = g.agent_ids.iter().map(|a| a.0).collect();
    sqlx::query("DELETE FROM group_agents WHERE group_id = $1").bind(g.id.0).execute(&mut *conn).await.map_err(db)?;
    sqlx::query(
        "INSERT INTO group_agents (group_id, agent_id, position) \
         SELECT $1, (SELECT x.id FROM agents x WHERE x.id = n.id AND x.organization_id = \
                     (SELECT organization_id FROM groups WHERE id = $1)), n.place \
         FROM unnest($2::uuid[]) WITH ORDINALITY AS n (id, place)",
    )
    .bind(g.id.0)
    .bind(ids)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Makes these the group's blocks. One of another organization is one that does not exist.
pub(super) async fn set_blocks(conn: &mut PgConnection, g: &Group) -> Result<()> {
    let ids: Vec<Uuid> = g.shared_block_ids.iter().map(|b| b.0).collect();
    sqlx::query("DELETE FROM group_blocks WHERE group_id = $1").bind(g.id.0).execute(&mut *conn).await.map_err(db)?;
    sqlx::query(
        "INSERT INTO group_blocks (group_id, block_id, position) \
         SELECT $1, (SELECT x.id FROM blocks x WHERE x.id = n.id AND x.organization_id = \
                     (SELECT organization_id FROM groups WHERE id = $1)), n.place \
         FROM unnest($2::uuid[]) WITH ORDINALITY AS n (id, place)",
    )
    .bind(g.id.0)
    .bind(ids)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Members and manager, each once.
fn agents(g: &Group) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = g.agent_ids.iter().copied().chain(g.manager.manager_agent_id()).map(|a| a.0).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Locks blocks against a new label, then the agents, and tells those to load again. The same order
/// as a change of a block has.
async fn lock(conn: &mut PgConnection, agents: &[Uuid], blocks: &[Uuid]) -> Result<()> {
    sqlx::query("SELECT FROM blocks WHERE id = ANY($1) ORDER BY id FOR SHARE")
        .bind(blocks)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    crate::agents::bump(conn, agents).await
}

/// Gives the shared blocks to those of the group's agents that do not have them, behind their own.
pub(super) async fn give(conn: &mut PgConnection, g: &Group) -> Result<()> {
    let (agents, blocks) = (agents(g), g.shared_block_ids.iter().map(|b| b.0).collect::<Vec<_>>());
    if agents.is_empty() || blocks.is_empty() {
        return Ok(());
    }
    lock(conn, &agents, &blocks).await?;
    let clash: Option<(Uuid, String)> = sqlx::query_as(
        "SELECT ab.agent_id, b.label FROM blocks b
         JOIN agent_blocks ab ON ab.label = b.label AND ab.block_id <> b.id AND ab.agent_id = ANY($1)
         WHERE b.id = ANY($2) ORDER BY ab.agent_id LIMIT 1",
    )
    .bind(&agents)
    .bind(&blocks)
    .fetch_optional(&mut *conn)
    .await
    .map_err(db)?;
    if let Some((agent, label)) = clash {
        let text = format!("{} has another block with the label '{label}'", AgentId(agent));
        return Err(StoreError::Conflict(text));
    }
    sqlx::query(
        "INSERT INTO agent_blocks (agent_id, block_id, position, label)
         SELECT a.id, n.id, n.place + COALESCE((SELECT max(position) FROM agent_blocks WHERE agent_id = a.id), 0),
                b.label
         FROM unnest($1::uuid[]) AS a (id)
         CROSS JOIN unnest($2::uuid[]) WITH ORDINALITY AS n (id, place)
         JOIN blocks b ON b.id = n.id
         ON CONFLICT (agent_id, block_id) DO NOTHING",
    )
    .bind(&agents)
    .bind(&blocks)
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    crate::blocks::check_sizes(conn, &agents).await
}

/// Agents that supervise a group, or did until now, have one tool more, or less, and those of a voice group a context of
/// another length: they are told to load again.
pub(super) async fn tell_managers(conn: &mut PgConnection, managers: &[&ManagerConfig]) -> Result<()> {
    let ids = managers.iter().filter_map(|manager| match manager {
        ManagerConfig::Supervisor { manager_agent_id } | ManagerConfig::VoiceSleeptime { manager_agent_id, .. } => {
            Some(manager_agent_id.0)
        }
        _ => None,
    });
    crate::agents::bump(conn, &ids.collect::<Vec<Uuid>>()).await
}

/// What left the manager's context before the group was there, or was its, is none of the companions' business
/// (`companions/voice.rs`).
pub(super) async fn begin_at_context(conn: &mut PgConnection, g: &Group) -> Result<()> {
    let ManagerConfig::VoiceSleeptime { manager_agent_id, .. } = g.manager else { return Ok(()) };
    sqlx::query("UPDATE group_sleep g SET evicted_seq = c.context_from FROM conversations c WHERE g.group_id = $1 AND c.id = $2")
        .bind(g.id.0)
        .bind(manager_agent_id.0)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(())
}

/// Takes blocks from all of the group's agents, but not those that another group shares with them.
pub(super) async fn take(conn: &mut PgConnection, g: &Group, blocks: &[BlockId]) -> Result<()> {
    let (agents, blocks) = (agents(g), blocks.iter().map(|b| b.0).collect::<Vec<_>>());
    if agents.is_empty() || blocks.is_empty() {
        return Ok(());
    }
    lock(conn, &agents, &blocks).await?;
    sqlx::query(
        "DELETE FROM agent_blocks ab WHERE ab.agent_id = ANY($1) AND ab.block_id = ANY($2) AND NOT EXISTS (
            SELECT FROM group_blocks gb JOIN groups g ON g.id = gb.group_id
            WHERE gb.block_id = ab.block_id AND g.id <> $3 AND (
                g.manager_agent_id = ab.agent_id
                OR EXISTS (SELECT FROM group_agents ga WHERE ga.group_id = g.id AND ga.agent_id = ab.agent_id)
            )
         )",
    )
    .bind(agents)
    .bind(blocks)
    .bind(g.id.0)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
