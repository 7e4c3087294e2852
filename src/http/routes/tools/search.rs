//! `POST /v1/tools/search`

use axum::Json;
use engram_domain::{Json as Value, Tool};
use engram_store::{Page, tools::ToolFilter};

use crate::app::App;
use crate::http::{
    dto::tools::{ToolSearchRequest, ToolSearchResult},
    error::ApiError,
    extract::ApiJson,
};

/// Searches tools by the words of their names and descriptions, best first.
#[utoipa::path(post, path = "/v1/tools/search", tag = "tools", request_body = ToolSearchRequest,
    responses((status = 200, body = Vec<ToolSearchResult>)))]
pub async fn search(app: App, ApiJson(r): ApiJson<ToolSearchRequest>) -> Result<Json<Vec<ToolSearchResult>>, ApiError> {
    let limit = r.limit.unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return Err(ApiError::invalid(&["body", "limit"], "expected 1 to 100", Value::from(limit)));
    }
    if let Some(mode) = r.search_mode.as_deref().filter(|m| !["vector", "fts", "hybrid"].contains(m)) {
        let expected = "expected `vector`, `fts` or `hybrid`";
        return Err(ApiError::invalid(&["body", "search_mode"], expected, Value::from(mode)));
    }
    let filter = ToolFilter { kinds: r.tool_types, tags: r.tags.unwrap_or_default(), ..ToolFilter::default() };
    let tools = app.store.tools(&filter, Page::oldest(i64::MAX)).await?;
    let ranked = rank(tools, r.query.as_deref().unwrap_or_default());
    let answer =
        (1..).zip(ranked).take(usize::try_from(limit).unwrap_or(0)).map(|(place, (tool, score))| ToolSearchResult {
            tool: tool.into(),
            embedded_text: None,
            fts_rank: Some(place),
            vector_rank: None,
            combined_score: score,
        });
    Ok(Json(answer.collect()))
}

/// The share of the query's words that a tool has, those in its name counted twice. Without words,
/// all tools as they came.
fn rank(tools: Vec<Tool>, query: &str) -> Vec<(Tool, f64)> {
    let query = query.to_lowercase();
    let words: Vec<&str> = query.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
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
