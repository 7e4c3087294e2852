//! `store_memories`: parts of the transcript that a voice agent's companion was told become passages of that agent.

use std::collections::BTreeSet;

use engram_core::{
    ports::{ToolContext, ToolOutcome, Write},
    transcript,
};
use engram_domain::{ArchiveId, Json, JsonMap, Passage, PassageId};

use super::{BuiltinRunner, Failure};

/// Ranges that one call may store.
const MOST_CHUNKS: usize = 100;

/// Stores nothing unless every range can be. The passages go to the agent whose memory the companion looks after: it is
/// that one who will search for them.
pub(super) async fn run(tools: &BuiltinRunner, context: &ToolContext, args: &JsonMap) -> Result<ToolOutcome, Failure> {
    let told = match context.run_id {
        Some(run) => tools.store.told(run).await?,
        None => None,
    };
    let told =
        told.ok_or_else(|| Failure("there is no transcript in this turn, so there is nothing to store".into()))?;
    let chunks = args.get("chunks").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let texts = texts(&transcript::numbered_lines(&told.text), chunks)?;
    if texts.is_empty() {
        return Ok(ToolOutcome::ok("No memories stored."));
    }
    let (archive_id, config) = match tools.store.archives(told.main).await?.into_iter().next() {
        Some(archive) => (archive.id, archive.embedding),
        // The commit creates the archive under this id.
        None => (ArchiveId(tools.ids.uuid()), told.embedding),
    };
    let vectors = tools.embedder.embed(&config, &texts).await?;
    if vectors.len() != texts.len() {
        return Err(Failure("the embedding model did not return a vector for each memory".into()));
    }
    let now = tools.clock.now();
    let count = texts.len();
    let mut outcome = ToolOutcome::ok(format!("{count} {} stored.", if count == 1 { "memory" } else { "memories" }));
    outcome.writes.extend(texts.into_iter().zip(vectors).map(|(text, embedding)| {
        let passage = Passage {
            id: PassageId(tools.ids.uuid()),
            archive_id,
            source_id: None,
            text,
            embedding,
            tags: vec![],
            metadata: JsonMap::new(),
            created_at: now,
            updated_at: now,
        };
        Write::InsertPassage(Box::new(passage), told.main)
    }));
    Ok(outcome)
}

/// The text of each range: what it is about, then its lines. The same range is stored once.
fn texts(lines: &[&str], chunks: &[Json]) -> Result<Vec<String>, Failure> {
    if chunks.len() > MOST_CHUNKS {
        return Err(Failure(format!("{} chunks are too many: store {MOST_CHUNKS} at most", chunks.len())));
    }
    let (mut seen, mut texts) = (BTreeSet::new(), Vec::new());
    for (n, chunk) in chunks.iter().enumerate() {
        let (start, end) = (index(chunk, "start_index", n)?, index(chunk, "end_index", n)?);
        let range = lines.get(start..=end.max(start)).filter(|_| start <= end).ok_or_else(|| {
            Failure(match lines.len() {
                0 => "the transcript has no lines, so chunks must be empty".to_owned(),
                many => format!(
                    "chunks[{n}] has the lines {start} to {end}; expected a start_index that is not above its end_index, \
                     both from 0 to {}",
                    many - 1
                ),
            })
        })?;
        if seen.insert((start, end)) {
            let about = chunk.get("context").and_then(Json::as_str).unwrap_or_default().replace('\0', "");
            let about = Some(about.trim()).filter(|about| !about.is_empty());
            texts.push(about.into_iter().chain(range.iter().copied()).collect::<Vec<_>>().join("\n"));
        }
    }
    Ok(texts)
}

fn index(chunk: &Json, name: &str, n: usize) -> Result<usize, Failure> {
    chunk
        .get(name)
        .and_then(Json::as_u64)
        .and_then(|i| usize::try_from(i).ok())
        .ok_or_else(|| Failure(format!("chunks[{n}].{name} must be the number of a line")))
}
