//! Changes of blocks by the agent's own tools: compare and set, so that two agents that share a
//! block do not overwrite each other's words.

use engram_core::ports::store::BlockWrite;
use engram_domain::{AgentId, Block, BlockId, ConversationId, Time};
use sqlx::{PgConnection, error::ErrorKind};
use uuid::Uuid;

use crate::{Result, StoreError, agents, error::db, rows::without_nul};

/// Applies them in their order and bumps the revision of
/// every agent that has one of them. False when a block is not as it was read; the caller rolls
/// everything back.
pub(super) async fn apply(
    conn: &mut PgConnection,
    conversation: ConversationId,
    writes: &[BlockWrite],
    now: Time,
) -> Result<bool> {
    if writes.is_empty() {
        return Ok(true);
    }
    lock(conn, writes).await?;
    let agent: Uuid = sqlx::query_scalar("SELECT agent_id FROM conversations WHERE id = $1")
        .bind(conversation.0)
        .fetch_one(&mut *conn)
        .await
        .map_err(db)?;
    let mut changed = Vec::new();
    let mut own = false;
    for write in writes {
        let done = match write {
            BlockWrite::Set { id, version, value, label, description } => {
                changed.push(id.0);
                set(conn, *id, *version, value, label.as_deref(), description.as_deref(), now).await?
            }
            BlockWrite::Create(block) => {
                own = true;
                create(conn, agent, block).await?
            }
            BlockWrite::Detach(id) => {
                own = true;
                detach(conn, agent, *id).await?
            }
        };
        if !done {
            return Ok(false);
        }
    }
    let mut concerned: Vec<Uuid> = sqlx::query_scalar(
        "SELECT agent_id FROM agent_blocks WHERE block_id = ANY($1)
         UNION SELECT agent_id FROM conversations WHERE isolated_block_ids <> '{}' AND isolated_block_ids && $1",
    )
    .bind(&changed)
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    if own {
        concerned.push(agent);
    }
    agents::bump(conn, &concerned).await?;
    Ok(true)
}

/// Locks the blocks that change in the order of their ids, so that two agents that write the same ones do
/// not wait for each other; what happens then happens in the order that the agent wanted.
async fn lock(conn: &mut PgConnection, writes: &[BlockWrite]) -> Result<()> {
    let ids: Vec<Uuid> = writes
        .iter()
        .filter_map(|write| match write {
            BlockWrite::Set { id, .. } => Some(id.0),
            BlockWrite::Detach(_) | BlockWrite::Create(_) => None,
        })
        .collect();
    sqlx::query("SELECT id FROM blocks WHERE id = ANY($1) ORDER BY id FOR UPDATE")
        .bind(ids)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(())
}

async fn set(
    conn: &mut PgConnection,
    id: BlockId,
    version: i64,
    value: &str,
    label: Option<&str>,
    description: Option<&str>,
    now: Time,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE blocks SET value = $3, label = coalesce($4, label), description = coalesce($5, description),
                           version = version + 1, updated_at = $6
         WHERE id = $1 AND version = $2",
    )
    .bind(id.0)
    .bind(version)
    .bind(without_nul(value.to_owned()))
    .bind(label)
    .bind(description)
    .bind(now)
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    if let Some(label) = label {
        let renamed = sqlx::query("UPDATE agent_blocks SET label = $2 WHERE block_id = $1 AND label <> $2")
            .bind(id.0)
            .bind(label)
            .execute(&mut *conn)
            .await;
        return taken(renamed);
    }
    Ok(true)
}

async fn create(conn: &mut PgConnection, agent: Uuid, block: &Block) -> Result<bool> {
    let mut block = block.clone();
    block.value = without_nul(block.value);
    let organization = agents::organization_of(&mut *conn, AgentId(agent)).await?;
    crate::blocks::insert(&mut *conn, organization, &block).await?;
    let attached = sqlx::query(
        "INSERT INTO agent_blocks (agent_id, block_id, position, label)
         SELECT $1, $2, coalesce(max(position), -1) + 1, $3 FROM agent_blocks WHERE agent_id = $1",
    )
    .bind(agent)
    .bind(block.id.0)
    .bind(&block.label)
    .execute(conn)
    .await;
    taken(attached)
}

async fn detach(conn: &mut PgConnection, agent: Uuid, id: BlockId) -> Result<bool> {
    let done = sqlx::query("DELETE FROM agent_blocks WHERE agent_id = $1 AND block_id = $2")
        .bind(agent)
        .bind(id.0)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(done.rows_affected() > 0)
}

/// A label that somebody else has taken meanwhile is a conflict like any other change.
fn taken(result: std::result::Result<sqlx::postgres::PgQueryResult, sqlx::Error>) -> Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(sqlx::Error::Database(e)) if e.kind() == ErrorKind::UniqueViolation => Ok(false),
        Err(e) => Err::<bool, StoreError>(db(e)),
    }
}
