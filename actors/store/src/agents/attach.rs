//! Attaching to an agent and detaching from it. Each bumps the agent's revision.

use engram_domain::{AgentId, ArchiveId, Block, BlockId, Time, ToolId};

use super::{
    companion::{lock_with_companions, share},
    create::{attach_blocks, attach_tools},
    touch,
};
use crate::{
    Result, ScopedStore,
    error::db,
    rows::{BlockRow, block_columns},
};

/// Whether the row `$1` of a table belongs to the organization of the agent `$2`.
macro_rules! same_organization {
    ($table:literal) => {
        concat!(
            "SELECT EXISTS (SELECT FROM ",
            $table,
            " WHERE id = $1 AND organization_id = (SELECT organization_id FROM agents WHERE id = $2))"
        )
    };
}

/// What became of a wish to attach or detach something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attached {
    /// It is so now, or was so before.
    Done,
    /// There is no such agent.
    NoAgent,
    /// There is no such thing, or (detaching) the agent does not have it.
    NoItem,
}

impl ScopedStore {
    /// Attaches a block behind the others, to its companions too: what it is to know, they are to keep. Only the
    /// agent itself loses it again. [`crate::StoreError::Conflict`] when the agent has another block with this
    /// label.
    pub async fn attach_block(&self, agent: AgentId, block: BlockId, now: Time) -> Result<Attached> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        let companions = lock_with_companions(&mut tx, agent).await?;
        if !touch(&mut tx, self.scope, agent, now).await? {
            return Ok(Attached::NoAgent);
        }
        let label: Option<String> = sqlx::query_scalar(
            "SELECT label FROM blocks
             WHERE id = $1 AND organization_id = (SELECT organization_id FROM agents WHERE id = $2) FOR SHARE",
        )
        .bind(block.0)
        .bind(agent.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        let Some(label) = label else { return Ok(Attached::NoItem) };
        let has: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM agent_blocks WHERE agent_id = $1 AND block_id = $2)")
                .bind(agent.0)
                .bind(block.0)
                .fetch_one(&mut *tx)
                .await
                .map_err(db)?;
        share(&mut tx, &companions, block.0, &label).await?;
        if !has {
            attach_blocks(&mut tx, agent, &[(block, label)]).await?;
        }
        tx.commit().await.map_err(db)?;
        Ok(Attached::Done)
    }

    /// Detaches a block. The block itself stays.
    pub async fn detach_block(&self, agent: AgentId, block: BlockId, now: Time) -> Result<Attached> {
        self.detach("DELETE FROM agent_blocks WHERE agent_id = $1 AND block_id = $2", agent, block.0, now).await
    }

    /// Attaches a tool behind the others.
    pub async fn attach_tool(&self, agent: AgentId, tool: ToolId, now: Time) -> Result<Attached> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        if !touch(&mut tx, self.scope, agent, now).await? {
            return Ok(Attached::NoAgent);
        }
        if !exists(&mut tx, same_organization!("tools"), tool.0, agent).await? {
            return Ok(Attached::NoItem);
        }
        attach_tools(&mut tx, agent, &[tool]).await?;
        tx.commit().await.map_err(db)?;
        Ok(Attached::Done)
    }

    /// Detaches a tool.
    pub async fn detach_tool(&self, agent: AgentId, tool: ToolId, now: Time) -> Result<Attached> {
        self.detach("DELETE FROM agent_tools WHERE agent_id = $1 AND tool_id = $2", agent, tool.0, now).await
    }

    /// Attaches an archive behind the others; the first is the one that is written to.
    pub async fn attach_archive(&self, agent: AgentId, archive: ArchiveId, now: Time) -> Result<Attached> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        if !touch(&mut tx, self.scope, agent, now).await? {
            return Ok(Attached::NoAgent);
        }
        if !exists(&mut tx, same_organization!("archives"), archive.0, agent).await? {
            return Ok(Attached::NoItem);
        }
        link_archive(&mut tx, agent, archive).await?;
        tx.commit().await.map_err(db)?;
        Ok(Attached::Done)
    }

    /// Detaches an archive. The archive itself stays.
    pub async fn detach_archive(&self, agent: AgentId, archive: ArchiveId, now: Time) -> Result<Attached> {
        self.detach("DELETE FROM agent_archives WHERE agent_id = $1 AND archive_id = $2", agent, archive.0, now).await
    }

    async fn detach(&self, sql: &'static str, agent: AgentId, item: uuid::Uuid, now: Time) -> Result<Attached> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        if !touch(&mut tx, self.scope, agent, now).await? {
            return Ok(Attached::NoAgent);
        }
        let done = sqlx::query(sql).bind(agent.0).bind(item).execute(&mut *tx).await.map_err(db)?;
        if done.rows_affected() == 0 {
            return Ok(Attached::NoItem);
        }
        tx.commit().await.map_err(db)?;
        Ok(Attached::Done)
    }

    /// The block of an agent with this label.
    pub async fn block_of_agent(&self, agent: AgentId, label: &str) -> Result<Option<Block>> {
        sqlx::query_as::<_, BlockRow>(concat!(
            "SELECT ",
            block_columns!(),
            " FROM agent_blocks ab JOIN blocks b ON b.id = ab.block_id
              WHERE ab.agent_id = $1 AND ab.label = $2 AND b.organization_id = coalesce($3, b.organization_id)"
        ))
        .bind(agent.0)
        .bind(label)
        .bind(self.org())
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?
        .map(Block::try_from)
        .transpose()
    }
}

/// Links an archive to an agent; nothing happens when it is already.
pub(crate) async fn link_archive(conn: &mut sqlx::PgConnection, agent: AgentId, archive: ArchiveId) -> Result<()> {
    sqlx::query(
        "INSERT INTO agent_archives (agent_id, archive_id, position) \
         SELECT $1, $2, 1 + COALESCE((SELECT max(position) FROM agent_archives WHERE agent_id = $1), 0) \
         ON CONFLICT DO NOTHING",
    )
    .bind(agent.0)
    .bind(archive.0)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

async fn exists(conn: &mut sqlx::PgConnection, sql: &'static str, id: uuid::Uuid, agent: AgentId) -> Result<bool> {
    sqlx::query_scalar(sql).bind(id).bind(agent.0).fetch_one(conn).await.map_err(db)
}
