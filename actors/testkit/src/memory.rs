//! Core memory and archival memory.

use engram_domain::{Archive, ArchiveId, Block, BlockId, EmbeddingConfig, JsonMap, Passage, PassageId, Time};
use uuid::Uuid;

/// A block that holds 5,000 characters and may be written.
pub fn block(label: &str, value: &str) -> Block {
    Block {
        id: BlockId(Uuid::nil()),
        label: label.into(),
        value: value.into(),
        limit: 5000,
        description: None,
        read_only: false,
        metadata: JsonMap::new(),
        template_name: None,
        is_template: false,
        preserve_on_migration: false,
        project_id: None,
        hidden: None,
        tags: vec![],
        created_at: Time::UNIX_EPOCH,
        updated_at: Time::UNIX_EPOCH,
        version: 1,
    }
}

/// An archive with the default embedding model.
pub fn archive(name: &str) -> Archive {
    Archive {
        id: ArchiveId(Uuid::nil()),
        name: name.into(),
        description: None,
        embedding: EmbeddingConfig::default(),
        metadata: None,
        created_at: Time::UNIX_EPOCH,
        updated_at: Time::UNIX_EPOCH,
    }
}

/// A passage without tags and without a vector.
pub fn passage(archive_id: ArchiveId, text: &str) -> Passage {
    Passage {
        id: PassageId(Uuid::nil()),
        archive_id,
        source_id: None,
        text: text.into(),
        embedding: vec![],
        tags: vec![],
        metadata: JsonMap::new(),
        created_at: Time::UNIX_EPOCH,
        updated_at: Time::UNIX_EPOCH,
    }
}
