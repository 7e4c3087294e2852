//! Changing a block.

use engram_domain::{Block, BlockId, JsonMap, Time};

use super::{check_sizes, owners};
use crate::{
    Result, ScopedStore,
    error::db,
    json::AsJson,
    rows::{BlockRow, block_columns},
};

/// Changes of a block; `None` leaves a member as it is, an inner `None` clears it.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "every member is the member of `Block` of the same name")]
pub struct BlockPatch {
    pub label: Option<String>,
    pub value: Option<String>,
    pub limit: Option<i32>,
    pub description: Option<Option<String>>,
    pub read_only: Option<bool>,
    pub metadata: Option<JsonMap>,
    pub template_name: Option<Option<String>>,
    pub is_template: Option<bool>,
    pub preserve_on_migration: Option<bool>,
    pub project_id: Option<Option<String>>,
    pub hidden: Option<Option<bool>>,
    pub tags: Option<Vec<String>>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Modified {
    /// It happened; this is the block now.
    Done(Box<Block>),
    /// There is no such block.
    Missing,
    /// It is at another version than the one that was expected. Nothing happened.
    Stale {
        /// The version it is at.
        version: i64,
    },
    /// The text would have more characters than the block holds. Nothing happened.
    TooLong {
        /// Characters of the text.
        chars: usize,
        /// Characters that the block holds.
        limit: i32,
    },
}

impl ScopedStore {
    /// Changes a block, when `expected` is given only if its version is still that one. The row is
    /// locked between reading and writing, so two writers never lose a change unseen.
    pub async fn modify_block(
        &self,
        id: BlockId,
        patch: BlockPatch,
        expected: Option<i64>,
        now: Time,
    ) -> Result<Modified> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        let row = sqlx::query_as::<_, BlockRow>(concat!(
            "SELECT ",
            block_columns!(),
            " FROM blocks b WHERE b.id = $1 AND b.organization_id = coalesce($2, b.organization_id) FOR NO KEY UPDATE"
        ))
        .bind(id.0)
        .bind(self.org())
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        let Some(row) = row else { return Ok(Modified::Missing) };
        let before = Block::try_from(row)?;
        if let Some(expected) = expected
            && expected != before.version
        {
            return Ok(Modified::Stale { version: before.version });
        }
        let mut block = apply(before.clone(), patch);
        if block == before {
            return Ok(Modified::Done(Box::new(before)));
        }
        // A text that was too long already (its limit was lowered) may still be shortened.
        let chars = block.chars();
        if i64::try_from(chars).unwrap_or(i64::MAX) > i64::from(block.limit) && block.value != before.value {
            return Ok(Modified::TooLong { chars, limit: block.limit });
        }
        block.updated_at = now;
        if block.value != before.value {
            block.version += 1;
        }
        update(&mut tx, &block).await?;
        if block.label != before.label {
            sqlx::query("UPDATE agent_blocks SET label = $2 WHERE block_id = $1")
                .bind(id.0)
                .bind(&block.label)
                .execute(&mut *tx)
                .await
                .map_err(db)?;
        }
        let owners = owners(&mut tx, id).await?;
        if block.value.len() > before.value.len() {
            check_sizes(&mut tx, &owners).await?;
        }
        crate::agents::bump(&mut tx, &owners).await?;
        tx.commit().await.map_err(db)?;
        Ok(Modified::Done(Box::new(block)))
    }
}

fn apply(mut b: Block, p: BlockPatch) -> Block {
    macro_rules! set {
        ($($member:ident),*) => {$( if let Some(value) = p.$member { b.$member = value; } )*};
    }
    set!(
        label,
        value,
        limit,
        description,
        read_only,
        metadata,
        template_name,
        is_template,
        preserve_on_migration,
        project_id,
        hidden,
        tags
    );
    b
}

async fn update(conn: &mut sqlx::PgConnection, b: &Block) -> Result<()> {
    sqlx::query(
        "UPDATE blocks SET label = $2, value = $3, char_limit = $4, description = $5, read_only = $6, metadata = $7, \
         template_name = $8, is_template = $9, preserve_on_migration = $10, project_id = $11, hidden = $12, \
         tags = $13, updated_at = $14, version = $15 WHERE id = $1",
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
    .bind(b.updated_at)
    .bind(b.version)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
