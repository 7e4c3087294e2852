//! Arguments of calls, with what the older loops add to every tool's schema.

use engram_core::ports::llm::ToolSchema;
use engram_domain::{Json, JsonMap};
use serde_json::json;

/// Members in which the older loops want a model's thoughts.
const THOUGHTS: [&str; 2] = ["thinking", "inner_thoughts"];
const HEARTBEAT: &str = "request_heartbeat";

/// Whether the model wants to go on after the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    Follows,
    Ends,
}

/// The arguments of an order: as written, and where they are an object with thoughts before and the
/// wish to go on after them, if the schema knows such members. Nothing else is filled in: a missing
/// argument may be the very thing that is being tried. After an order there is always the answer.
pub(super) fn ordered(tool: Option<&ToolSchema>, written: &str) -> String {
    let known = |name: &str| properties(tool).is_some_and(|p| p.contains_key(name));
    let Ok(Json::Object(given)) = serde_json::from_str(written) else { return written.to_owned() };
    let mut all = JsonMap::new();
    for name in THOUGHTS.into_iter().filter(|n| known(n) && !given.contains_key(*n)) {
        all.insert(name.into(), json!("Doing what I was asked to."));
    }
    let as_written = all.is_empty() && (!known(HEARTBEAT) || given.contains_key(HEARTBEAT));
    if as_written {
        return written.to_owned();
    }
    all.extend(given);
    if known(HEARTBEAT) {
        all.entry(HEARTBEAT).or_insert(json!(true));
    }
    Json::Object(all).to_string()
}

/// The arguments of a call that no order asked for: the given ones and something plain for every
/// other member that the schema requires.
pub(super) fn own(tool: Option<&ToolSchema>, given: Json, more: More) -> String {
    let properties = properties(tool);
    let mut all = JsonMap::new();
    for name in THOUGHTS.into_iter().filter(|n| properties.is_some_and(|p| p.contains_key(*n))) {
        all.insert(name.into(), json!("Answering."));
    }
    if let Json::Object(given) = given {
        all.extend(given);
    }
    let required = tool.and_then(|t| t.parameters.get("required")).and_then(Json::as_array);
    for name in required.into_iter().flatten().filter_map(Json::as_str) {
        if name != HEARTBEAT && !all.contains_key(name) {
            all.insert(name.into(), plain(properties.and_then(|p| p.get(name)), 0));
        }
    }
    if properties.is_some_and(|p| p.contains_key(HEARTBEAT)) {
        all.insert(HEARTBEAT.into(), json!(more == More::Follows));
    }
    Json::Object(all).to_string()
}

fn properties(tool: Option<&ToolSchema>) -> Option<&JsonMap> {
    tool?.parameters.get("properties")?.as_object()
}

/// A plain value that fits a schema.
fn plain(schema: Option<&Json>, depth: usize) -> Json {
    let Some(schema) = schema.filter(|_| depth < 8) else { return json!("none") };
    if let Some(first) = schema.get("enum").and_then(Json::as_array).and_then(|e| e.first()) {
        return first.clone();
    }
    let kind = match schema.get("type") {
        Some(Json::String(kind)) => kind,
        Some(Json::Array(kinds)) => kinds.iter().find_map(Json::as_str).unwrap_or_default(),
        _ => "string",
    };
    match kind {
        "integer" | "number" => json!(0),
        "boolean" => json!(false),
        "array" => json!([]),
        "null" => Json::Null,
        "object" => {
            let members = schema.get("properties").and_then(Json::as_object);
            let required = schema.get("required").and_then(Json::as_array).into_iter().flatten();
            let filled = required.filter_map(Json::as_str);
            Json::Object(filled.map(|n| (n.to_owned(), plain(members.and_then(|m| m.get(n)), depth + 1))).collect())
        }
        _ => json!("none"),
    }
}
