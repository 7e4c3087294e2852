//! `POST /v1/passages/search`

use std::collections::BTreeMap;

use axum::Json;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use engram_domain::{Archive, Json as Value, JsonMap, Time};
use engram_store::{Page, archives::ArchiveFilter, passages::PassageFilter};

use crate::app::App;
use crate::http::{
    dto::passages::{PassageDto, PassageFound, SearchPassages},
    error::ApiError,
    extract::ApiJson,
    routes::{agents::require, archives::embedding::nearest},
};

/// Archives that one search goes through at most.
const MAX_ARCHIVES: i64 = 1_000;

/// Searches passages by meaning, best first; without a query the newest passages.
#[utoipa::path(post, path = "/v1/passages/search", tag = "passages", request_body = SearchPassages,
    responses((status = 200, body = Vec<PassageFound>)))]
pub async fn search(app: App, ApiJson(r): ApiJson<SearchPassages>) -> Result<Json<Vec<PassageFound>>, ApiError> {
    let limit = r.limit.unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return Err(ApiError::invalid(&["body", "limit"], "expected 1 to 100", Value::from(limit)));
    }
    let archives = archives(&app, &r).await?;
    let filter = PassageFilter {
        archives: Some(archives.iter().map(|a| a.id).collect()),
        tags: r.tags.unwrap_or_default(),
        match_all_tags: all_tags("body", r.tag_match_mode.as_deref())?,
        start: moment("start_date", r.start_date.as_deref())?,
        end: moment("end_date", r.end_date.as_deref())?,
        ..PassageFilter::default()
    };
    let found = match r.query.as_deref().filter(|q| !q.is_empty()) {
        Some(query) => nearest(&app, &archives, &filter, query, limit).await?,
        None => app.store.passages(&filter, Page::newest(limit)).await?.into_iter().map(|p| (p, 0.0)).collect(),
    };
    let by_id: BTreeMap<_, _> = archives.iter().map(|a| (a.id, a)).collect();
    Ok(Json(
        found
            .into_iter()
            .filter_map(|(p, score)| {
                let archive = by_id.get(&p.archive_id)?;
                let passage = PassageDto::new(p, archive, r.agent_id);
                Some(PassageFound { passage, score, metadata: JsonMap::new() })
            })
            .collect(),
    ))
}

/// The archives that are meant: one, those of an agent, or all.
async fn archives(app: &App, r: &SearchPassages) -> Result<Vec<Archive>, ApiError> {
    let mut archives = match r.agent_id {
        Some(agent) => {
            require(app, agent).await?;
            app.store.archives_of_agent(agent).await?
        }
        None => match r.archive_id {
            Some(id) => app.store.archive(id).await?.into_iter().collect(),
            None => app.store.archives(&ArchiveFilter::default(), Page::newest(MAX_ARCHIVES)).await?,
        },
    };
    if let Some(id) = r.archive_id {
        archives.retain(|a| a.id == id);
        if archives.is_empty() {
            return Err(ApiError::not_found("Archive", id));
        }
    }
    Ok(archives)
}

/// Whether all tags are needed.
pub fn all_tags(root: &str, mode: Option<&str>) -> Result<bool, ApiError> {
    match mode {
        None | Some("any") => Ok(false),
        Some("all") => Ok(true),
        Some(other) => Err(ApiError::invalid(&[root, "tag_match_mode"], "expected `any` or `all`", Value::from(other))),
    }
}

/// A time in the body.
pub fn moment(member: &str, text: Option<&str>) -> Result<Option<Time>, ApiError> {
    text.map(|t| parse_time(t, &["body".to_owned(), member.to_owned()], false)).transpose()
}

/// A time in a query parameter.
pub fn time(member: &str, text: Option<&str>, end_of_day: bool) -> Result<Option<Time>, ApiError> {
    text.map(|t| parse_time(t, &["query".to_owned(), member.to_owned()], end_of_day)).transpose()
}

/// ISO 8601 with or without a zone (then UTC), or a date: its first instant, or its last.
pub fn parse_time(text: &str, loc: &[String], end_of_day: bool) -> Result<Time, ApiError> {
    let text = text.trim();
    // A `+` that was not encoded arrives as a space.
    let zoned = text.replacen(' ', if text.contains('T') { "+" } else { "T" }, 1);
    let naive = || {
        zoned.parse::<NaiveDateTime>().ok().or_else(|| {
            let time = if end_of_day { NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999)? } else { NaiveTime::MIN };
            Some(text.parse::<NaiveDate>().ok()?.and_time(time))
        })
    };
    zoned.parse::<Time>().ok().or_else(|| naive().map(|n| n.and_utc())).ok_or_else(|| {
        ApiError::invalid(loc, "expected a time in ISO 8601, as `2026-03-01T12:00:00Z`", Value::from(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_spellings_of_clients() {
        let read = |text| parse_time(text, &[], true).map(|t| t.to_rfc3339()).ok();
        assert_eq!(read("2026-03-01T12:00:00Z").as_deref(), Some("2026-03-01T12:00:00+00:00"));
        assert_eq!(read("2026-03-01T12:00:00 02:00").as_deref(), Some("2026-03-01T10:00:00+00:00"));
        assert_eq!(read("2026-03-01T12:00:00.5").as_deref(), Some("2026-03-01T12:00:00.500+00:00"));
        assert_eq!(read("2026-03-01").as_deref(), Some("2026-03-01T23:59:59.999999+00:00"));
        assert_eq!(read("soon"), None);
    }
}
