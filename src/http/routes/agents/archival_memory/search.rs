//! `GET /v1/agents/{agent_id}/archival-memory/search`

use axum::Json;
use chrono_tz::Tz;
use engram_domain::{AgentId, Json as Value, Time};
use engram_store::passages::PassageFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::{App, agents, archives::passages};
use crate::http::{
    dto::passages::{MemoryFound, MemorySearchResponse, all_tags},
    error::ApiError,
    extract::{ApiQuery, PathId},
    times,
};

/// Passages that a search finds when it does not say how many, and at most.
const DEFAULT_FOUND: i64 = 5;
const MAX_FOUND: i64 = 100;

/// Query parameters.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct SearchQuery {
    /// What to look for, in plain words.
    query: Option<String>,
    /// Only passages with these tags.
    tags: Vec<String>,
    /// `any` of the tags (the default) or `all`.
    tag_match_mode: Option<String>,
    /// At most so many.
    top_k: Option<i64>,
    /// Not older; ISO 8601.
    start_datetime: Option<String>,
    /// Not newer; ISO 8601.
    end_datetime: Option<String>,
}

/// Searches an agent's archives by meaning, best first, as its own tool does.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/archival-memory/search", tag = "agents",
    params(SearchQuery, ("agent_id" = String, Path)), responses((status = 200, body = MemorySearchResponse)))]
pub async fn search(
    app: App,
    PathId(id): PathId<AgentId>,
    ApiQuery(q): ApiQuery<SearchQuery>,
) -> Result<Json<MemorySearchResponse>, ApiError> {
    let agent = agents::find(&app, id).await?;
    let Some(query) = q.query.filter(|t| !t.is_empty()) else {
        return Err(ApiError::invalid(&["query", "query"], "Field required", Value::Null));
    };
    let filter = PassageFilter {
        tags: q.tags,
        match_all_tags: all_tags("query", q.tag_match_mode.as_deref())?,
        start: times::in_query("start_datetime", q.start_datetime.as_deref(), false)?,
        end: times::in_query("end_datetime", q.end_datetime.as_deref(), true)?,
        ..PassageFilter::default()
    };
    let limit = q.top_k.unwrap_or(DEFAULT_FOUND).clamp(1, MAX_FOUND);
    let found = passages::recall(&app, id, &filter, &query, limit).await?;
    let zone: Tz = agent.timezone.parse().unwrap_or(Tz::UTC);
    let shown = |at: Time| at.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string();
    let results: Vec<MemoryFound> = found
        .into_iter()
        .map(|p| MemoryFound { id: p.id, timestamp: shown(p.created_at), content: p.text, tags: p.tags })
        .collect();
    Ok(Json(MemorySearchResponse { count: results.len(), results }))
}
