//! `POST /v1/passages/search`

use std::collections::BTreeMap;

use axum::Json;
use engram_domain::{Json as Value, JsonMap};
use engram_store::passages::PassageFilter;

use crate::app::{
    App,
    archives::{self, passages},
    limits,
};
use crate::http::{
    dto::{
        owned::OwnedBy,
        passages::{PassageDto, PassageFound, SearchPassages, all_tags},
    },
    error::ApiError,
    extract::ApiJson,
    times,
};

/// Searches passages by meaning, best first; without a query the newest passages.
#[utoipa::path(post, path = "/v1/passages/search", tag = "passages", extensions(("x-engram-scope" = json!("read"))), request_body = SearchPassages,
    responses((status = 200, body = Vec<PassageFound>)))]
pub async fn search(app: App, ApiJson(r): ApiJson<SearchPassages>) -> Result<Json<Vec<PassageFound>>, ApiError> {
    let limit = r.limit.unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return Err(ApiError::invalid(&["body", "limit"], "expected 1 to 100", Value::from(limit)));
    }
    limits::at_most(&["query"], "bytes", r.query.as_ref().map_or(0, String::len), limits::QUERY)?;
    limits::at_most(&["tags"], "tags", r.tags.iter().flatten().count(), limits::TAGS)?;
    let archives = archives::of_search(&app, r.agent_id, r.archive_id).await?;
    let filter = PassageFilter {
        tags: r.tags.unwrap_or_default(),
        match_all_tags: all_tags("body", r.tag_match_mode.as_deref())?,
        start: times::in_body("start_date", r.start_date.as_deref())?,
        end: times::in_body("end_date", r.end_date.as_deref())?,
        ..PassageFilter::default()
    };
    let found = passages::search(&app, &archives, &filter, r.query.as_deref(), limit).await?;
    let by_id: BTreeMap<_, _> = archives.iter().map(|a| (a.id, a)).collect();
    let by = OwnedBy::of(&app);
    let shown = found.into_iter().filter_map(|(p, score)| {
        let archive = by_id.get(&p.archive_id)?;
        let passage = PassageDto::new(p, archive, r.agent_id, by);
        Some(PassageFound { passage, score, metadata: JsonMap::new() })
    });
    Ok(Json(shown.collect()))
}
