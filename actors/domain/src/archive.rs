//! Archival memory: archives and their passages.

use crate::{ArchiveId, EmbeddingConfig, JsonMap, PassageId, SourceId, Time};

/// Bytes of the text of one passage that is stored whole.
pub const MAX_PASSAGE_BYTES: usize = 1024 * 1024;

/// A searchable store of passages. It owns its embedding model: every passage in it was embedded
/// with that model, whatever the agents that use it are configured with.
#[derive(Debug, Clone, PartialEq)]
pub struct Archive {
    /// Its id.
    pub id: ArchiveId,
    /// Name, not unique.
    pub name: String,
    /// What it holds.
    pub description: Option<String>,
    /// The model that embeds its passages and the queries to it.
    pub embedding: EmbeddingConfig,
    /// Free-form data of the caller.
    pub metadata: Option<JsonMap>,
    /// When it was created.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

/// A piece of text with its embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// Its id.
    pub id: PassageId,
    /// The archive it is in.
    pub archive_id: ArchiveId,
    /// The data source it came from.
    pub source_id: Option<SourceId>,
    /// The text.
    pub text: String,
    /// Unit vector of `EmbeddingConfig::embedding_dim` numbers; empty where it was not asked for.
    pub embedding: Vec<f32>,
    /// Tags, sorted, without repeats.
    pub tags: Vec<String>,
    /// Free-form data of the caller.
    pub metadata: JsonMap,
    /// When it was created; callers may set it.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}
