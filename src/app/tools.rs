//! Tools of an organization: finding and changing them. Those of one agent are in [`super::agents::tools`].

use engram_domain::{Json, Tool, ToolId, ToolKind};
use engram_store::{
    Page,
    tools::{ToolFilter, ToolPatch},
};
use serde_json::json;

use crate::app::{App, Error, Result, limits, sorted};

/// Characters of its result that a tool may be given.
const CHAR_LIMITS: std::ops::RangeInclusive<i32> = 1..=1_000_000;

/// Changes of a tool; what is absent stays as it is.
#[derive(Debug, Clone, Default)]
pub struct ToolChange {
    /// Members that are kept as they are given.
    pub settings: ToolPatch,
    /// The first member that was named and belongs to what the tool does.
    pub code_member: Option<&'static str>,
}

/// The tool, which must exist.
pub async fn find(app: &App, id: ToolId) -> Result<Tool> {
    app.store.tool(id).await?.ok_or_else(|| Error::not_found("Tool", id))
}

/// Changes a tool. What a built-in one does and how it is described to models stays as it is.
pub async fn change(app: &App, id: ToolId, change: ToolChange) -> Result<Tool> {
    let tool = find(app, id).await?;
    if let Some(member) = change.code_member {
        if tool.kind == ToolKind::Custom {
            let text = format!("`{member}`: changing custom tools is not built yet in this server");
            return Err(Error::NotBuilt(text));
        }
        let expected = "expected no such member: the tool comes with the server";
        return Err(Error::invalid(&[member], expected, Json::Null));
    }
    let settings = change.settings;
    if let Some(n) = settings.return_char_limit.filter(|n| !CHAR_LIMITS.contains(n)) {
        return Err(Error::invalid(&["return_char_limit"], "expected 1 to 1000000", json!(n)));
    }
    limits::at_most(&["tags"], "tags", settings.tags.iter().flatten().count(), limits::TAGS)?;
    if let Some(data) = &settings.metadata {
        limits::metadata(&["metadata"], data)?;
    }
    let patch = ToolPatch { tags: settings.tags.map(sorted), ..settings };
    app.store.modify_tool(id, &patch, app.clock.now()).await?.ok_or_else(|| Error::not_found("Tool", id))
}

/// The tools with the words of a query in their names and descriptions, each with its score, best first.
pub async fn search(app: &App, filter: &ToolFilter, query: &str) -> Result<Vec<(Tool, f64)>> {
    limits::at_most(&["query"], "bytes", query.len(), limits::QUERY)?;
    limits::at_most(&["tags"], "tags", filter.tags.len(), limits::TAGS)?;
    limits::at_most(&["tool_types"], "types", filter.kinds.iter().flatten().count(), limits::TAGS)?;
    Ok(rank(app.store.tools(filter, Page::oldest(i64::MAX)).await?, query))
}

/// The share of the query's words that a tool has, those in its name counted twice. Without words, all tools as they
/// came. Only the first words count: each is compared with each tool.
fn rank(tools: Vec<Tool>, query: &str) -> Vec<(Tool, f64)> {
    let query = query.to_lowercase();
    let words = query.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let words: Vec<&str> = words.take(limits::WORDS).collect();
    if words.is_empty() {
        return tools.into_iter().map(|t| (t, 0.0)).collect();
    }
    let mut ranked: Vec<(Tool, f64)> = tools
        .into_iter()
        .filter_map(|tool| {
            let name = tool.name.to_lowercase();
            let description = tool.description.as_deref().unwrap_or_default().to_lowercase();
            let points: usize =
                words.iter().map(|w| 2 * usize::from(name.contains(w)) + usize::from(description.contains(w))).sum();
            (points > 0).then(|| (tool, points as f64 / (3 * words.len()) as f64))
        })
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}
