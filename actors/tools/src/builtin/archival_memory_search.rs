//! `archival_memory_search`: the nearest passages of all archives of the agent.

use engram_core::ports::{PassageQuery, ToolContext, ToolOutcome};
use engram_domain::{Archive, ArchiveId, EmbeddingConfig, Json, JsonMap, Passage};
use serde_json::json;

use super::{
    BuiltinRunner, Failure,
    archival_memory_insert::tags,
    recall::{limit, offset},
    when,
};

/// Archives may be embedded with different models: the query is embedded once for each of them, and
/// the results are merged by score.
pub(super) async fn run(tools: &BuiltinRunner, context: &ToolContext, args: &JsonMap) -> Result<ToolOutcome, Failure> {
    let text = args.get("query").and_then(Json::as_str).unwrap_or_default();
    if text.trim().is_empty() {
        return Err(Failure("query is empty; say in plain words what to look for".into()));
    }
    let zone = when::zone(&context.agent.timezone);
    let top_k = limit(args, "top_k", 100);
    let offset = offset(args, top_k);
    let mut query = PassageQuery {
        tags: tags(args),
        match_all: args.get("tag_match_mode").and_then(Json::as_str) == Some("all"),
        since: when::since(args, "start_datetime", zone)?,
        until: when::until(args, "end_datetime", zone)?,
        // Of each group as many as could be shown if all came from it.
        limit: offset + top_k,
        ..PassageQuery::default()
    };
    let mut found: Vec<(Passage, f32)> = vec![];
    for (config, archives) in by_model(tools.store.archives(context.agent.id).await?) {
        let vectors = tools.embedder.embed(&config, &[text.to_owned()]).await?;
        let vector = vectors.into_iter().next();
        query.embedding = Some(vector.ok_or_else(|| Failure("the embedding model returned nothing".into()))?);
        found.extend(tools.store.search_passages(&archives, &query).await?);
    }
    // Stable, so passages of equal score stay in the order of the store.
    found.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let shown = |n: i64| usize::try_from(n).unwrap_or(0);
    let results: Vec<Json> = found
        .iter()
        .skip(shown(offset))
        .take(shown(top_k))
        .map(|(passage, _)| {
            json!({
                "id": passage.id,
                "timestamp": when::stamp(passage.created_at, zone),
                "content": passage.text,
                "tags": passage.tags,
            })
        })
        .collect();
    Ok(ToolOutcome::ok(json!({"results": results, "count": results.len()}).to_string()))
}

/// Archives that share an embedding model.
fn by_model(archives: Vec<Archive>) -> Vec<(EmbeddingConfig, Vec<ArchiveId>)> {
    let mut groups: Vec<(EmbeddingConfig, Vec<ArchiveId>)> = vec![];
    for archive in archives {
        let same = |c: &EmbeddingConfig| {
            c.handle() == archive.embedding.handle() && c.embedding_dim == archive.embedding.embedding_dim
        };
        match groups.iter_mut().find(|(config, _)| same(config)) {
            Some((_, ids)) => ids.push(archive.id),
            None => groups.push((archive.embedding, vec![archive.id])),
        }
    }
    groups
}
