//! `blocks`.

use engram_domain::{Block, JsonMap, Time};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    StoreError,
    json::{RawJson, parse_opt},
};

/// Columns of [`BlockRow`], for `FROM blocks b`.
macro_rules! block_columns {
    () => {
        "b.id, b.label, b.value, b.char_limit, b.description, b.read_only, b.metadata, b.template_name, \
         b.is_template, b.preserve_on_migration, b.project_id, b.hidden, b.tags, b.created_at, b.updated_at, b.version"
    };
}
pub(crate) use block_columns;

#[derive(FromRow)]
pub(crate) struct BlockRow {
    pub id: Uuid,
    label: String,
    value: String,
    char_limit: i32,
    description: Option<String>,
    read_only: bool,
    metadata: RawJson,
    template_name: Option<String>,
    is_template: bool,
    preserve_on_migration: bool,
    project_id: Option<String>,
    hidden: Option<bool>,
    tags: Vec<String>,
    created_at: Time,
    updated_at: Time,
    version: i64,
}

impl TryFrom<BlockRow> for Block {
    type Error = StoreError;

    fn try_from(row: BlockRow) -> Result<Self, StoreError> {
        let metadata = parse_opt::<JsonMap>(Some(&row.metadata), "blocks", "metadata", row.id)?;
        Ok(Self {
            id: row.id.into(),
            label: row.label,
            value: row.value,
            limit: row.char_limit,
            description: row.description,
            read_only: row.read_only,
            metadata: metadata.unwrap_or_default(),
            template_name: row.template_name,
            is_template: row.is_template,
            preserve_on_migration: row.preserve_on_migration,
            project_id: row.project_id,
            hidden: row.hidden,
            tags: row.tags,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}
