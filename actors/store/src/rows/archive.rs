//! `archives` and `passages`.

use engram_domain::{Archive, JsonMap, Passage, Time};
use pgvector::Vector;
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    StoreError,
    json::{RawJson, parse_opt},
};

/// Columns of [`ArchiveRow`], for `FROM archives r`.
macro_rules! archive_columns {
    () => {
        "r.id, r.name, r.description, r.embedding, r.metadata, r.created_at, r.updated_at"
    };
}
pub(crate) use archive_columns;

/// Columns of [`PassageRow`], for `FROM passages p`, without the vector: give `p.embedding` or
/// `NULL::vector AS embedding` as well.
macro_rules! passage_columns {
    () => {
        "p.id, p.archive_id, p.source_id, p.text, p.tags, p.metadata, p.created_at, p.updated_at"
    };
}
pub(crate) use passage_columns;

#[derive(FromRow)]
pub(crate) struct ArchiveRow {
    pub id: Uuid,
    name: String,
    description: Option<String>,
    embedding: RawJson,
    metadata: Option<RawJson>,
    created_at: Time,
    updated_at: Time,
}

impl TryFrom<ArchiveRow> for Archive {
    type Error = StoreError;

    fn try_from(row: ArchiveRow) -> Result<Self, StoreError> {
        let id = row.id;
        Ok(Self {
            id: id.into(),
            name: row.name,
            description: row.description,
            embedding: row.embedding.parse("archives", "embedding", id)?,
            metadata: parse_opt(row.metadata.as_ref(), "archives", "metadata", id)?,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

#[derive(FromRow)]
pub(crate) struct PassageRow {
    pub id: Uuid,
    archive_id: Uuid,
    source_id: Option<Uuid>,
    text: String,
    embedding: Option<Vector>,
    tags: Vec<String>,
    metadata: RawJson,
    created_at: Time,
    updated_at: Time,
}

impl TryFrom<PassageRow> for Passage {
    type Error = StoreError;

    fn try_from(row: PassageRow) -> Result<Self, StoreError> {
        let metadata = parse_opt::<JsonMap>(Some(&row.metadata), "passages", "metadata", row.id)?;
        Ok(Self {
            id: row.id.into(),
            archive_id: row.archive_id.into(),
            source_id: row.source_id.map(Into::into),
            text: row.text,
            embedding: row.embedding.map(Vector::into).unwrap_or_default(),
            tags: row.tags,
            metadata: metadata.unwrap_or_default(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}
