//! `conversation_search`: what was said before, in all conversations of the agent.
//!
//! All of them and not only the current one: an agent is one mind, its blocks and archives are
//! shared by its conversations too.

use engram_core::ports::{MessageQuery, ToolContext, ToolOutcome};
use engram_domain::{Json, JsonMap, Role};
use serde_json::json;

use super::{
    BuiltinRunner, Failure,
    recall::{limit, offset, shown, words},
    when,
};

/// Speakers that are searched when none are named. Summaries only repeat them.
const ROLES: [Role; 3] = [Role::User, Role::Assistant, Role::Tool];

pub(super) async fn run(tools: &BuiltinRunner, context: &ToolContext, args: &JsonMap) -> Result<ToolOutcome, Failure> {
    let zone = when::zone(&context.agent.timezone);
    let phrase = args.get("query").and_then(Json::as_str).map(|q| q.replace('\0', "").trim().to_owned());
    let phrase = phrase.filter(|q| !q.is_empty());
    let words = phrase.as_deref().map(words).unwrap_or_default();
    let mut roles: Vec<Role> = args
        .get("roles")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(|r| Role::parse(r.as_str()?))
        .collect();
    if roles.is_empty() {
        roles = ROLES.to_vec();
    }
    let limit = limit(args, "limit", 50);
    let query = MessageQuery {
        phrase,
        words,
        roles,
        since: when::since(args, "start_date", zone)?,
        until: when::until(args, "end_date", zone)?,
        not_of_run: context.run_id,
        limit,
        offset: offset(args, limit),
    };
    let found = tools.store.search_messages(context.agent.id, None, &query).await?;
    let now = tools.clock.now();
    let results: Vec<Json> = found.iter().map(|message| shown(message, &query, zone, now)).collect();
    if results.is_empty() {
        return Ok(ToolOutcome::ok("No results found."));
    }
    let message = format!("Showing {} result{}", results.len(), if results.len() == 1 { "" } else { "s" });
    Ok(ToolOutcome::ok(json!({"message": message, "results": results}).to_string()))
}
