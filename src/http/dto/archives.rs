//! Archives on the wire.

use engram_domain::{Archive, ArchiveId, JsonMap};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    llm::EmbeddingConfigDto,
    messages::letta::timestamp,
    owned::OwnedBy,
    patch::{Patch, present},
};
use crate::app::{agents::models::EmbeddingWish, archives::ArchiveSpec};

/// A searchable store of passages.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Archive)]
pub struct ArchiveDto {
    /// Whom it is said to come from.
    pub created_by_id: Option<String>,
    /// Whom it is said to come from.
    pub last_updated_by_id: Option<String>,
    /// When it was created.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Its name.
    pub name: String,
    /// What it holds.
    pub description: Option<String>,
    /// The organization.
    pub organization_id: String,
    /// Always `native`.
    pub vector_db_provider: &'static str,
    /// The model that embeds its passages.
    pub embedding_config: EmbeddingConfigDto,
    /// Free-form data.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<JsonMap>,
    /// Its id.
    #[schema(value_type = String)]
    pub id: ArchiveId,
}

impl ArchiveDto {
    /// An archive of these owners.
    pub fn new(a: Archive, by: OwnedBy) -> Self {
        Self {
            created_by_id: by.user(),
            last_updated_by_id: by.user(),
            created_at: timestamp(a.created_at),
            updated_at: timestamp(a.updated_at),
            name: a.name,
            description: a.description,
            organization_id: by.organization(),
            vector_db_provider: "native",
            embedding_config: (&a.embedding).into(),
            metadata: a.metadata,
            id: a.id,
        }
    }
}

/// An archive to create.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = ArchiveCreateRequest)]
pub struct CreateArchive {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub description: Option<String>,
    /// Handle of its embedding model; the server's default when absent.
    pub embedding: Option<String>,
    /// Its embedding model in full; `embedding` goes before it.
    pub embedding_config: Option<EmbeddingConfigDto>,
}

impl From<CreateArchive> for ArchiveSpec {
    fn from(r: CreateArchive) -> Self {
        let embedding =
            EmbeddingWish { handle: r.embedding, config: r.embedding_config.map(Into::into), chunk_size: None };
        Self { name: r.name, description: r.description, embedding }
    }
}

/// Changes of an archive; absent members stay as they are.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = ArchiveUpdateRequest)]
pub struct UpdateArchive {
    /// New name.
    pub name: Option<String>,
    /// New description; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub description: Patch<String>,
}
