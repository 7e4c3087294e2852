//! The list parameters of both generations, as one type.
//!
//! Old clients send `ascending` and `sort_by`, 1.x clients `order` and `order_by`; whichever was
//! sent counts. Flatten nothing: a list endpoint that has further filters repeats these members,
//! or takes [`PageQuery`] as a second extractor (unknown members are ignored by both).

use std::str::FromStr;

use engram_domain::{Json, Time};
use engram_store::{PAGE_BYTES, Page};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::http::error::ApiError;

/// Most rows that one list answers.
pub const MAX_LIMIT: i64 = 1_000;
/// Rows of most lists when the caller does not say how many.
pub const DEFAULT_LIMIT: i64 = 50;

/// Query parameters of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Rows at most. A page of large rows ends earlier, after about 16 MiB: go on with the id of its last row.
    pub limit: Option<i64>,
    /// Only rows after this id, in the order of the list.
    pub after: Option<String>,
    /// Only rows before this id, in the order of the list.
    pub before: Option<String>,
    /// `asc` or `desc`.
    pub order: Option<String>,
    /// Column to sort by.
    pub order_by: Option<String>,
    /// Old spelling of `order`.
    pub ascending: Option<bool>,
    /// Old spelling of `order_by`.
    pub sort_by: Option<String>,
}

impl PageQuery {
    /// Rows to return: what was asked for within 1 to [`MAX_LIMIT`], else `default`.
    /// A negative limit is refused.
    pub fn limit(&self, default: i64) -> Result<i64, ApiError> {
        match self.limit {
            None => Ok(default),
            Some(n) if n >= 0 => Ok(n.min(MAX_LIMIT)),
            Some(n) => Err(ApiError::invalid(&["query", "limit"], "expected an integer of at least 0", Json::from(n))),
        }
    }

    /// Whether the oldest comes first. `order` counts over `ascending`.
    pub fn ascending(&self, default: bool) -> Result<bool, ApiError> {
        match self.order.as_deref().map(str::to_ascii_lowercase).as_deref() {
            Some("asc") => Ok(true),
            Some("desc") => Ok(false),
            Some(other) => Err(ApiError::invalid(&["query", "order"], "expected `asc` or `desc`", Json::from(other))),
            None => Ok(self.ascending.unwrap_or(default)),
        }
    }

    /// The page that is asked for. `ascending` is the order where the caller did not say one.
    pub fn page(&self, limit: i64, ascending: bool) -> Result<Page, ApiError> {
        let (after, before) = self.cursors();
        let (limit, ascending) = (self.limit(limit)?, self.ascending(ascending)?);
        Ok(Page { limit, after, before, ascending, most_bytes: Some(PAGE_BYTES) })
    }

    /// The column to sort by, if one was named.
    pub fn sort(&self) -> Option<&str> {
        self.order_by.as_deref().or(self.sort_by.as_deref())
    }

    /// The cursors `(after, before)` as row ids. An id that cannot exist is ignored, as an unknown one is.
    pub fn cursors(&self) -> (Option<Uuid>, Option<Uuid>) {
        (self.after.as_deref().and_then(cursor), self.before.as_deref().and_then(cursor))
    }
}

/// The UUID of an id with any prefix.
pub fn cursor(id: &str) -> Option<Uuid> {
    id.get(id.len().checked_sub(36)?..).and_then(|tail| Uuid::try_parse(tail).ok())
}

/// The part of a short list that is asked for, by the same rules as the store's pages. The list must
/// be in ascending order.
pub fn cut<T>(mut items: Vec<T>, page: Page, id: impl Fn(&T) -> uuid::Uuid) -> Vec<T> {
    if !page.ascending {
        items.reverse();
    }
    if let Some(at) = page.after.and_then(|after| items.iter().position(|i| id(i) == after)) {
        items.drain(..=at);
    }
    if let Some(at) = page.before.and_then(|before| items.iter().position(|i| id(i) == before)) {
        items.truncate(at);
    }
    items.truncate(usize::try_from(page.limit).unwrap_or(0));
    items
}

/// A time of the query as clients write it: with a zone, or without one (then UTC), or a date alone.
pub fn time(member: &str, text: Option<&str>) -> Result<Option<Time>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let naive = || chrono::NaiveDateTime::from_str(text).ok();
    let date = || chrono::NaiveDate::from_str(text).ok().and_then(|d| d.and_hms_opt(0, 0, 0));
    // A plus sign that a client did not encode arrives as a space.
    chrono::DateTime::parse_from_rfc3339(&text.replace(' ', "+"))
        .map(|t| t.to_utc())
        .ok()
        .or_else(|| naive().or_else(date).map(|t| t.and_utc()))
        .map(Some)
        .ok_or_else(|| ApiError::invalid(&["query", member], "expected a time in ISO 8601", Json::from(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_generations_are_read() {
        let old = PageQuery { ascending: Some(true), sort_by: Some("updated_at".into()), ..PageQuery::default() };
        assert!(old.ascending(false).expect("valid"));
        assert_eq!(old.sort(), Some("updated_at"));
        let new = PageQuery { order: Some("desc".into()), ascending: Some(true), ..PageQuery::default() };
        assert!(!new.ascending(true).expect("valid"));
        assert!(PageQuery { order: Some("up".into()), ..PageQuery::default() }.ascending(true).is_err());
        assert!(PageQuery { limit: Some(-1), ..PageQuery::default() }.limit(10).is_err());
        assert_eq!(PageQuery { limit: Some(5_000), ..PageQuery::default() }.limit(10).expect("valid"), MAX_LIMIT);
    }

    #[test]
    fn times_are_read_in_every_common_form() {
        let read = |text| time("start_date", Some(text)).expect("a time").expect("it is there").to_rfc3339();
        assert_eq!(read("2026-11-21T19:39:41Z"), "2026-11-21T19:39:41+00:00");
        assert_eq!(read("2026-11-21T20:39:41.5 01:00"), "2026-11-21T19:39:41.500+00:00");
        assert_eq!(read("2026-11-21T19:39:41"), "2026-11-21T19:39:41+00:00");
        assert_eq!(read("2026-11-21"), "2026-11-21T00:00:00+00:00");
        assert!(time("start_date", Some("yesterday")).is_err());
    }

    #[test]
    fn a_cursor_is_read_with_any_prefix() {
        assert!(cursor("message-123e4567-e89b-42d3-8456-426614174000").is_some());
        assert!(cursor("nonsense").is_none());
        assert!(cursor("é-3e4567-e89b-42d3-8456-426614174000").is_none());
    }

    #[test]
    fn cursors_are_exclusive_and_speak_of_the_order_asked_for() {
        let items: Vec<Uuid> = (1..=5).map(|n| Uuid::from_u64_pair(0, n)).collect();
        let cut = |page| cut(items.clone(), page, |i| *i);
        let page = Page { after: Some(items[1]), ..Page::oldest(2) };
        assert_eq!(cut(page), items[2..4]);
        assert_eq!(cut(Page { ascending: false, ..page }), [items[0]]);
        assert_eq!(cut(Page { after: None, before: Some(items[3]), ..page }), items[0..2]);
        assert_eq!(cut(Page { after: Some(Uuid::max()), ..page }), items[0..2]);
    }
}
