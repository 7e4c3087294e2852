//! Times in requests, in the spellings of clients.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use engram_domain::{Json, Time};

use crate::http::error::ApiError;

/// A time in the body.
pub fn in_body(member: &str, text: Option<&str>) -> Result<Option<Time>, ApiError> {
    text.map(|t| parse(t, &["body".to_owned(), member.to_owned()], false)).transpose()
}

/// A time in a query parameter.
pub fn in_query(member: &str, text: Option<&str>, end_of_day: bool) -> Result<Option<Time>, ApiError> {
    text.map(|t| parse(t, &["query".to_owned(), member.to_owned()], end_of_day)).transpose()
}

/// ISO 8601 with or without a zone (then UTC), or a date: its first instant, or its last.
pub fn parse(text: &str, loc: &[String], end_of_day: bool) -> Result<Time, ApiError> {
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
        ApiError::invalid(loc, "expected a time in ISO 8601, as `2026-03-01T12:00:00Z`", Json::from(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_spellings_of_clients() {
        let read = |text| parse(text, &[], true).map(|t| t.to_rfc3339()).ok();
        assert_eq!(read("2026-03-01T12:00:00Z").as_deref(), Some("2026-03-01T12:00:00+00:00"));
        assert_eq!(read("2026-03-01T12:00:00 02:00").as_deref(), Some("2026-03-01T10:00:00+00:00"));
        assert_eq!(read("2026-03-01T12:00:00.5").as_deref(), Some("2026-03-01T12:00:00.500+00:00"));
        assert_eq!(read("2026-03-01").as_deref(), Some("2026-03-01T23:59:59.999999+00:00"));
        assert_eq!(read("soon"), None);
    }
}
