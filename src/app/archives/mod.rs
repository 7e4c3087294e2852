//! Archives and the passages in them.
//!
//! What it does: [`passages`] stores, changes and finds passages, [`embedding`] cuts and embeds texts, [`reading`] has
//! new passages worked into memory blocks.
//!
//! Invariants: a passage is stored with its vector or not at all; of several passages all are stored or none.

pub mod embedding;
pub mod passages;
pub mod reading;

use engram_domain::{AgentId, Archive, ArchiveId};
use engram_store::{Page, archives::ArchiveFilter};

use super::agents::{self, models, models::EmbeddingWish};
use crate::app::{App, Error, Result};

/// Archives that one search goes through at most.
const MAX_ARCHIVES: i64 = 1_000;

/// An archive to be made.
#[derive(Debug, Clone)]
pub struct ArchiveSpec {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub description: Option<String>,
    /// Its embedding model, which cannot be changed later.
    pub embedding: EmbeddingWish,
}

/// The archive, which must exist.
pub async fn find(app: &App, id: ArchiveId) -> Result<Archive> {
    app.store.archive(id).await?.ok_or_else(|| Error::not_found("Archive", id))
}

/// Makes an archive.
pub async fn create(app: &App, spec: ArchiveSpec) -> Result<Archive> {
    let embedding = models::embedding(app, &spec.embedding, None).await?;
    let now = app.clock.now();
    let archive = Archive {
        id: ArchiveId(app.ids.uuid()),
        name: spec.name,
        description: spec.description,
        embedding,
        metadata: None,
        created_at: now,
        updated_at: now,
    };
    app.store.create_archive(&archive).await?;
    Ok(archive)
}

/// The archives that a search is about: one, those of an agent, the one if the agent has it, or all.
pub async fn of_search(app: &App, agent: Option<AgentId>, archive: Option<ArchiveId>) -> Result<Vec<Archive>> {
    let mut archives = match (agent, archive) {
        (Some(agent), _) => {
            agents::require(app, agent).await?;
            app.store.archives_of_agent(agent).await?
        }
        (None, Some(id)) => app.store.archive(id).await?.into_iter().collect(),
        (None, None) => app.store.archives(&ArchiveFilter::default(), Page::newest(MAX_ARCHIVES)).await?,
    };
    if let Some(id) = archive {
        archives.retain(|a| a.id == id);
        if archives.is_empty() {
            return Err(Error::not_found("Archive", id));
        }
    }
    Ok(archives)
}
