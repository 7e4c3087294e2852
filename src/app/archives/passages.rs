//! Passages: storing, changing, finding and deleting them.

use std::collections::BTreeMap;

use engram_domain::{Agent, AgentId, Archive, ArchiveId, JsonMap, Passage, PassageId, Time};
use engram_store::{
    Page,
    passages::{PassageFilter, PassagePatch},
};

use super::embedding::{cut, embed, most_passages, nearest};
use crate::app::{App, Error, Result, agents, limits, sorted};

/// A passage to be stored.
#[derive(Debug, Clone, Default)]
pub struct PassageSpec {
    /// The text.
    pub text: String,
    /// Tags.
    pub tags: Vec<String>,
    /// Free-form data.
    pub metadata: JsonMap,
    /// When it happened; now when absent.
    pub created_at: Option<Time>,
}

/// Changes of a passage; what is absent stays as it is.
#[derive(Debug, Clone, Default)]
pub struct PassageChange {
    /// New text; it is embedded again.
    pub text: Option<String>,
    /// All its tags.
    pub tags: Option<Vec<String>>,
    /// All its free-form data.
    pub metadata: Option<JsonMap>,
}

/// Refuses a passage that is too large to be stored whole. `path` is where it stands in the input.
pub fn check(path: &[&str], spec: &PassageSpec) -> Result<()> {
    let at = |member| -> Vec<&str> { path.iter().copied().chain([member]).collect() };
    limits::at_most(&at("text"), "bytes in a passage", spec.text.len(), limits::PASSAGE)?;
    limits::at_most(&at("tags"), "tags", spec.tags.len(), limits::TAGS)?;
    limits::metadata(&at("metadata"), &spec.metadata)
}

/// Stores passages in an archive, each whole.
pub async fn store(app: &App, archive: &Archive, specs: Vec<PassageSpec>) -> Result<Vec<Passage>> {
    if specs.is_empty() {
        return Ok(vec![]);
    }
    let most = most_passages(&archive.embedding);
    limits::at_most(&["passages"], "passages", specs.len(), most)?;
    let now = app.clock.now();
    let texts: Vec<String> = specs.iter().map(|spec| spec.text.clone()).collect();
    let vectors = embed(app, &archive.embedding, &texts).await?;
    let passages: Vec<Passage> = specs
        .into_iter()
        .zip(vectors)
        .map(|(spec, embedding)| Passage {
            id: PassageId(app.ids.uuid()),
            archive_id: archive.id,
            source_id: None,
            text: spec.text,
            embedding,
            tags: sorted(spec.tags),
            metadata: spec.metadata,
            created_at: spec.created_at.unwrap_or(now),
            updated_at: now,
        })
        .collect();
    app.store.insert_passages(archive.id, &passages).await?;
    Ok(passages)
}

/// Stores a memory in an agent's first archive, which is made if there is none. A long text becomes several passages,
/// each as long as the archive's embedding model takes.
pub async fn remember(app: &App, agent: Agent, memory: PassageSpec) -> Result<(Archive, Vec<Passage>)> {
    let now = app.clock.now();
    let new = Archive {
        id: ArchiveId(app.ids.uuid()),
        name: format!("{}'s archive", agent.name),
        description: None,
        embedding: agent.embedding,
        metadata: None,
        created_at: now,
        updated_at: now,
    };
    let archive = app.store.default_archive(agent.id, &new).await?;
    let archive = archive.ok_or_else(|| Error::not_found("Agent", agent.id))?;
    let PassageSpec { text, tags, metadata, created_at } = memory;
    limits::at_most(&["tags"], "tags", tags.len(), limits::TAGS)?;
    let max = archive.embedding.embedding_chunk_size;
    let texts = cut(&["text"], text, max, most_passages(&archive.embedding)).await?;
    let piece = |text| PassageSpec { text, tags: tags.clone(), metadata: metadata.clone(), created_at };
    let pieces = texts.into_iter().map(piece).collect();
    let passages = store(app, &archive, pieces).await?;
    Ok((archive, passages))
}

/// Changes a passage in one of the agent's archives.
pub async fn change(app: &App, agent: AgentId, id: PassageId, change: PassageChange) -> Result<(Archive, Passage)> {
    let archives = app.store.archives_of_agent(agent).await?;
    let present = app.store.passage(id).await?;
    let archive = present.and_then(|p| archives.into_iter().find(|a| a.id == p.archive_id));
    let Some(archive) = archive else {
        agents::require(app, agent).await?;
        return Err(Error::not_found("Passage", id));
    };
    limits::at_most(&["tags"], "tags", change.tags.iter().flatten().count(), limits::TAGS)?;
    if let Some(data) = &change.metadata {
        limits::metadata(&["metadata"], data)?;
    }
    let whole = change.text.as_ref().map_or(0, String::len);
    limits::at_most(&["text"], "bytes in a passage", whole, limits::PASSAGE)?;
    let text = match change.text {
        None => None,
        Some(text) => {
            let vector = embed(app, &archive.embedding, std::slice::from_ref(&text)).await?.pop();
            vector.map(|v| (text, v))
        }
    };
    let patch = PassagePatch { text, tags: change.tags.map(sorted), metadata: change.metadata };
    let passage = app.store.modify_passage(id, &patch, app.clock.now()).await?;
    Ok((archive, passage.ok_or_else(|| Error::not_found("Passage", id))?))
}

/// A page of the passages in an agent's archives, with those archives.
pub async fn of_agent(
    app: &App,
    agent: AgentId,
    search: Option<String>,
    page: Page,
) -> Result<Vec<(Passage, Archive)>> {
    let archives = app.store.archives_of_agent(agent).await?;
    if archives.is_empty() {
        agents::require(app, agent).await?;
    }
    let archives: BTreeMap<ArchiveId, Archive> = archives.into_iter().map(|a| (a.id, a)).collect();
    let filter = PassageFilter { agent_id: Some(agent), search, ..PassageFilter::default() };
    let passages = app.store.passages(&filter, page).await?;
    Ok(passages.into_iter().filter_map(|p| archives.get(&p.archive_id).cloned().map(|archive| (p, archive))).collect())
}

/// The passages of an agent's archives that are nearest to a query, best first, as its own tool finds them.
pub async fn recall(
    app: &App,
    agent: AgentId,
    filter: &PassageFilter,
    query: &str,
    limit: i64,
) -> Result<Vec<Passage>> {
    let archives = app.store.archives_of_agent(agent).await?;
    let filter = PassageFilter { agent_id: Some(agent), ..filter.clone() };
    Ok(search(app, &archives, &filter, Some(query), limit).await?.into_iter().map(|(passage, _)| passage).collect())
}

/// Deletes a passage of an archive.
pub async fn delete(app: &App, archive: ArchiveId, id: PassageId) -> Result<()> {
    super::find(app, archive).await?;
    if app.store.delete_passage(&[archive], id).await? { Ok(()) } else { Err(Error::not_found("Passage", id)) }
}

/// Deletes a passage in one of the agent's archives.
pub async fn forget(app: &App, agent: AgentId, id: PassageId) -> Result<()> {
    let archives: Vec<ArchiveId> = app.store.archives_of_agent(agent).await?.into_iter().map(|a| a.id).collect();
    if app.store.delete_passage(&archives, id).await? {
        return Ok(());
    }
    agents::require(app, agent).await?;
    Err(Error::not_found("Passage", id))
}

/// Passages of these archives with their scores: the nearest to a query, best first; without a query the newest.
pub async fn search(
    app: &App,
    archives: &[Archive],
    filter: &PassageFilter,
    query: Option<&str>,
    limit: i64,
) -> Result<Vec<(Passage, f64)>> {
    if let Some(query) = query.filter(|q| !q.is_empty()) {
        return nearest(app, archives, filter, query, limit).await;
    }
    let archives = Some(archives.iter().map(|a| a.id).collect());
    let filter = PassageFilter { archives, ..filter.clone() };
    Ok(app.store.passages(&filter, Page::newest(limit)).await?.into_iter().map(|p| (p, 0.0)).collect())
}
