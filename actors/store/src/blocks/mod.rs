//! Memory blocks.
//!
//! Invariants: `value` changes only together with `version`, by compare-and-set where the caller
//! says which version it read; a change bumps the revision of every agent that has the block; a new
//! label is copied to `agent_blocks` in the same transaction.

mod list;
mod modify;

use engram_domain::{AgentId, Block, BlockId, OrgId, block};
use sqlx::PgConnection;
use uuid::Uuid;

pub use list::BlockFilter;
pub use modify::{BlockPatch, Modified};

use crate::{
    Result, ScopedStore, StoreError,
    error::db,
    json::AsJson,
    rows::{BlockRow, block_columns},
};

impl ScopedStore {
    /// A block.
    pub async fn block(&self, id: BlockId) -> Result<Option<Block>> {
        Ok(self.blocks_by_id(&[id]).await?.pop())
    }

    /// The blocks among these that exist, in no particular order. [`StoreError::Invalid`] for more than one agent may
    /// have.
    pub async fn blocks_by_id(&self, ids: &[BlockId]) -> Result<Vec<Block>> {
        let ids: Vec<Uuid> = ids.iter().map(|b| b.0).collect();
        if ids.len() > 1 {
            let bytes: i64 = sqlx::query_scalar(
                "SELECT coalesce(sum(octet_length(b.value)), 0)::bigint FROM blocks b
                 WHERE b.id = ANY($1) AND b.organization_id = coalesce($2, b.organization_id)",
            )
            .bind(&ids)
            .bind(self.org())
            .fetch_one(&self.store.queries)
            .await
            .map_err(db)?;
            let most = block::MAX_BYTES_PER_AGENT;
            if usize::try_from(bytes).unwrap_or(0) > most {
                return Err(StoreError::Invalid(format!("these memory blocks have more than {most} bytes together")));
            }
        }
        sqlx::query_as::<_, BlockRow>(concat!(
            "SELECT ",
            block_columns!(),
            " FROM blocks b WHERE b.id = ANY($1) AND b.organization_id = coalesce($2, b.organization_id)"
        ))
        .bind(ids)
        .bind(self.org())
        .fetch_all(&self.store.queries)
        .await
        .map_err(db)?
        .into_iter()
        .map(Block::try_from)
        .collect()
    }

    /// Creates a block.
    pub async fn create_block(&self, block: &Block) -> Result<()> {
        let mut conn = self.store.queries.acquire().await.map_err(db)?;
        insert(&mut conn, self.owner()?, block).await
    }

    /// Deletes a block and takes it from every agent that has it. Returns what it was.
    pub async fn delete_block(&self, id: BlockId) -> Result<Option<Block>> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        let row = sqlx::query_as::<_, BlockRow>(concat!(
            "SELECT ",
            block_columns!(),
            " FROM blocks b WHERE b.id = $1 AND b.organization_id = coalesce($2, b.organization_id) FOR UPDATE"
        ))
        .bind(id.0)
        .bind(self.org())
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        let Some(row) = row else { return Ok(None) };
        let owners = owners(&mut tx, id).await?;
        crate::agents::bump(&mut tx, &owners).await?;
        sqlx::query("DELETE FROM blocks WHERE id = $1").bind(id.0).execute(&mut *tx).await.map_err(db)?;
        tx.commit().await.map_err(db)?;
        Block::try_from(row).map(Some)
    }
}

/// Agents that have the block.
pub(crate) async fn owners(conn: &mut PgConnection, block: BlockId) -> Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "SELECT agent_id FROM agent_blocks WHERE block_id = $1
         UNION SELECT agent_id FROM conversations WHERE isolated_block_ids <> '{}' AND isolated_block_ids @> ARRAY[$1] ORDER BY agent_id",
    )
        .bind(block.0)
        .fetch_all(conn)
        .await
        .map_err(db)
}

/// Refuses that the blocks of one of these agents are too many, or too large together: an agent is loaded, and shown,
/// with all of them.
pub(crate) async fn check_sizes(conn: &mut PgConnection, agents: &[Uuid]) -> Result<()> {
    let over: Option<Uuid> = sqlx::query_scalar(
        "SELECT ab.agent_id FROM agent_blocks ab JOIN blocks b ON b.id = ab.block_id WHERE ab.agent_id = ANY($1)
         GROUP BY ab.agent_id HAVING count(*) > $2 OR sum(octet_length(b.value)) > $3 LIMIT 1",
    )
    .bind(agents)
    .bind(i64::try_from(block::MAX_PER_AGENT).unwrap_or(i64::MAX))
    .bind(i64::try_from(block::MAX_BYTES_PER_AGENT).unwrap_or(i64::MAX))
    .fetch_optional(conn)
    .await
    .map_err(db)?;
    match over.map(AgentId) {
        None => Ok(()),
        Some(agent) => Err(StoreError::Invalid(format!(
            "the memory blocks of {agent} would be more than {} or have more than {} bytes together",
            block::MAX_PER_AGENT,
            block::MAX_BYTES_PER_AGENT
        ))),
    }
}

/// Inserts a block.
pub(crate) async fn insert(conn: &mut PgConnection, organization: OrgId, b: &Block) -> Result<()> {
    sqlx::query(
        "INSERT INTO blocks (id, label, value, char_limit, description, read_only, metadata, template_name, \
         is_template, preserve_on_migration, project_id, hidden, tags, created_at, updated_at, version, \
         organization_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(b.id.0)
    .bind(&b.label)
    .bind(&b.value)
    .bind(b.limit)
    .bind(&b.description)
    .bind(b.read_only)
    .bind(AsJson(&b.metadata))
    .bind(&b.template_name)
    .bind(b.is_template)
    .bind(b.preserve_on_migration)
    .bind(&b.project_id)
    .bind(b.hidden)
    .bind(&b.tags)
    .bind(b.created_at)
    .bind(b.updated_at)
    .bind(b.version)
    .bind(organization.0)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
