//! `archival_memory_insert`: one passage into the agent's own archive.

use engram_core::ports::{ToolContext, ToolOutcome, Write};
use engram_domain::{ArchiveId, Json, JsonMap, Passage, PassageId, archive::MAX_PASSAGE_BYTES};

use super::{BuiltinRunner, Failure};

/// Tags of one memory.
const MOST_TAGS: usize = 1_000;

/// Embeds the text with the model of the archive it goes to (the archive owns its embedding, whatever
/// the agent is configured with by now) and leaves the insertion to the commit.
pub(super) async fn run(tools: &BuiltinRunner, context: &ToolContext, args: &JsonMap) -> Result<ToolOutcome, Failure> {
    let text = args.get("content").and_then(Json::as_str).unwrap_or_default().replace('\0', "");
    if text.trim().is_empty() {
        return Err(Failure("content is empty, so there is nothing to remember".into()));
    }
    if text.len() > MAX_PASSAGE_BYTES {
        return Err(Failure(format!(
            "content has {} bytes and may have {MAX_PASSAGE_BYTES}: store it in several memories",
            text.len()
        )));
    }
    let tags = tags(args);
    if tags.len() > MOST_TAGS {
        return Err(Failure(format!("there are {} tags, and {MOST_TAGS} at most", tags.len())));
    }
    let agent = &context.agent;
    let (archive_id, config) = match tools.store.archives(agent.id).await?.into_iter().next() {
        Some(archive) => (archive.id, archive.embedding),
        // The commit creates the archive under this id.
        None => (ArchiveId(tools.ids.uuid()), agent.embedding.clone()),
    };
    let vectors = tools.embedder.embed(&config, std::slice::from_ref(&text)).await?;
    let embedding = vectors.into_iter().next().ok_or_else(|| Failure("the embedding model returned nothing".into()))?;
    let now = tools.clock.now();
    let id = PassageId(tools.ids.uuid());
    let passage = Passage {
        id,
        archive_id,
        source_id: None,
        text,
        embedding,
        tags,
        metadata: JsonMap::new(),
        created_at: now,
        updated_at: now,
    };
    let mut outcome = ToolOutcome::ok(format!("Memory stored (id {id})"));
    outcome.writes.push(Write::InsertPassage(Box::new(passage), agent.id));
    Ok(outcome)
}

/// The tags, trimmed, sorted, without repeats.
pub(super) fn tags(args: &JsonMap) -> Vec<String> {
    let given = args.get("tags").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
    let mut tags: Vec<String> =
        given.map(|t| t.replace('\0', "").trim().to_owned()).filter(|t| !t.is_empty()).collect();
    tags.sort();
    tags.dedup();
    tags
}
