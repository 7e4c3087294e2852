//! `POST /v1/tools/search`

use axum::Json;
use engram_domain::Json as Value;
use engram_store::tools::ToolFilter;

use crate::app::{App, tools};
use crate::http::{
    dto::{
        owned::OwnedBy,
        tools::{ToolDto, ToolSearchRequest, ToolSearchResult},
    },
    error::ApiError,
    extract::ApiJson,
};

/// Searches tools by the words of their names and descriptions, best first.
#[utoipa::path(post, path = "/v1/tools/search", tag = "tools", extensions(("x-engram-scope" = json!("read"))), request_body = ToolSearchRequest,
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
    let ranked = tools::search(&app, &filter, r.query.as_deref().unwrap_or_default()).await?;
    let by = OwnedBy::of(&app);
    let answer =
        (1..).zip(ranked).take(usize::try_from(limit).unwrap_or(0)).map(|(place, (tool, score))| ToolSearchResult {
            tool: ToolDto::new(tool, by),
            embedded_text: None,
            fts_rank: Some(place),
            vector_rank: None,
            combined_score: score,
        });
    Ok(Json(answer.collect()))
}
