//! `search_memory`: what was said before and what is kept of it, by keywords and time. For somebody who waits on the
//! phone, so nothing here asks a model: passages are found by their words, too.

use std::cmp::Reverse;

use chrono::TimeDelta;
use engram_core::ports::{MessageQuery, PassageQuery, ToolContext, ToolOutcome};
use engram_domain::{ArchiveId, Json, JsonMap, Passage, Role, Time};
use serde_json::json;

use super::{
    BuiltinRunner, Failure,
    recall::{shown, words},
    when,
};

/// Messages and memories that are shown of each.
const SHOWN: i64 = 10;
/// Words that memories are searched for.
const MOST_WORDS: usize = 8;
/// Memories that are looked at for each word.
const EACH: i64 = 50;

pub(super) async fn run(tools: &BuiltinRunner, context: &ToolContext, args: &JsonMap) -> Result<ToolOutcome, Failure> {
    let keywords: Vec<String> = args
        .get("convo_keyword_queries")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .map(|word| word.replace('\0', "").trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect();
    let now = tools.clock.now();
    let (start, end) = (minutes(args, "start_minutes_ago")?, minutes(args, "end_minutes_ago")?);
    if keywords.is_empty() && start.is_none() && end.is_none() {
        return Err(Failure("give at least one keyword, or a time window in minutes".into()));
    }
    let (since, until) = window(start, end, now);
    let zone = when::zone(&context.agent.timezone);
    let query = MessageQuery {
        phrase: None,
        words: words(&keywords.join(" ")),
        roles: vec![Role::User, Role::Assistant],
        since,
        until,
        not_of_run: context.run_id,
        limit: SHOWN,
        offset: 0,
    };
    let (messages, memories) =
        tokio::join!(tools.store.search_messages(context.agent.id, None, &query), memories(tools, context, &query));
    let messages: Vec<Json> = messages?.iter().map(|message| shown(message, &query, zone, now)).collect();
    let memories: Vec<Json> = memories?
        .iter()
        .map(|memory| {
            json!({
                "timestamp": when::stamp(memory.created_at, zone),
                "time_ago": when::ago(memory.created_at, now),
                "content": memory.text,
            })
        })
        .collect();
    if messages.is_empty() && memories.is_empty() {
        return Ok(ToolOutcome::ok("No results found."));
    }
    Ok(ToolOutcome::ok(json!({"memories": memories, "messages": messages}).to_string()))
}

/// The memories with the most of the words, the newest first among equals.
async fn memories(tools: &BuiltinRunner, context: &ToolContext, query: &MessageQuery) -> Result<Vec<Passage>, Failure> {
    let archives: Vec<ArchiveId> =
        tools.store.archives(context.agent.id).await?.into_iter().map(|archive| archive.id).collect();
    if archives.is_empty() {
        return Ok(vec![]);
    }
    let mut search = PassageQuery { since: query.since, until: query.until, limit: EACH, ..PassageQuery::default() };
    let mut found: Vec<(usize, Passage)> = vec![];
    let words = query.words.iter().take(MOST_WORDS).cloned().map(Some);
    let any = query.words.is_empty().then_some(None);
    for word in words.chain(any) {
        search.text = word;
        for (passage, _) in tools.store.search_passages(&archives, &search).await? {
            match found.iter_mut().find(|(_, have)| have.id == passage.id) {
                Some((hits, _)) => *hits += 1,
                None => found.push((1, passage)),
            }
        }
    }
    found.sort_by_key(|(hits, passage)| Reverse((*hits, passage.created_at)));
    found.truncate(usize::try_from(SHOWN).unwrap_or_default());
    Ok(found.into_iter().map(|(_, passage)| passage).collect())
}

/// The window that the minutes open and close. Some models mix them up: the longer ago one opens it.
fn window(start: Option<i64>, end: Option<i64>, now: Time) -> (Option<Time>, Option<Time>) {
    let (start, end) = match (start, end) {
        (Some(start), Some(end)) if start < end => (Some(end), Some(start)),
        other => other,
    };
    let ago = |minutes: i64| now.checked_sub_signed(TimeDelta::try_minutes(minutes)?);
    // Before the beginning of time there was nothing, and what ends now needs no end.
    (start.and_then(ago), end.filter(|end| *end > 0).and_then(ago))
}

fn minutes(args: &JsonMap, name: &str) -> Result<Option<i64>, Failure> {
    match args.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(value) => match value.as_i64() {
            Some(minutes) if minutes >= 0 => Ok(Some(minutes)),
            _ => Err(Failure(format!("argument '{name}' must be a number of minutes, 0 or more"))),
        },
    }
}
