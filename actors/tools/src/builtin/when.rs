//! Times in arguments and results, in the agent's zone.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use engram_domain::{Json, JsonMap, Time};

/// The zone of this IANA name; UTC where it is none.
pub(crate) fn zone(name: &str) -> Tz {
    name.parse().unwrap_or(Tz::UTC)
}

/// The argument as the first moment that counts; a date means its first instant.
pub(crate) fn since(args: &JsonMap, name: &str, zone: Tz) -> Result<Option<Time>, String> {
    bound(args, name, |text| match parse(text, zone)? {
        Given::Day(day) => Some(local(day.and_hms_opt(0, 0, 0)?, zone)),
        Given::Moment(time) => Some(time),
    })
}

/// The argument as the first moment that no longer counts. The argument itself is included: a date
/// with its whole day.
pub(crate) fn until(args: &JsonMap, name: &str, zone: Tz) -> Result<Option<Time>, String> {
    bound(args, name, |text| match parse(text, zone)? {
        Given::Day(day) => Some(local(day.checked_add_days(Days::new(1))?.and_hms_opt(0, 0, 0)?, zone)),
        Given::Moment(time) => time.checked_add_signed(TimeDelta::microseconds(1)),
    })
}

/// A time as results show it, to the second, with the zone's offset.
pub(crate) fn stamp(time: Time, zone: Tz) -> String {
    time.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// How long ago that was, in its largest unit.
pub(crate) fn ago(then: Time, now: Time) -> String {
    let seconds = now.signed_duration_since(then).num_seconds();
    let (n, unit) = match seconds {
        ..60 => return "just now".into(),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        86_400..2_592_000 => (seconds / 86_400, "day"),
        2_592_000..31_536_000 => (seconds / 2_592_000, "month"),
        _ => (seconds / 31_536_000, "year"),
    };
    format!("{n} {unit}{} ago", if n == 1 { "" } else { "s" })
}

enum Given {
    Day(NaiveDate),
    Moment(Time),
}

fn bound(args: &JsonMap, name: &str, read: impl Fn(&str) -> Option<Time>) -> Result<Option<Time>, String> {
    // An empty string is how some models leave an argument out.
    let Some(text) = args.get(name).and_then(Json::as_str).map(str::trim).filter(|t| !t.is_empty()) else {
        return Ok(None);
    };
    read(text).map(Some).ok_or_else(|| {
        let text: String = text.chars().take(80).collect();
        format!("argument '{name}' must be a date such as 2026-03-01 or an ISO 8601 time, got \"{text}\"")
    })
}

fn parse(text: &str, zone: Tz) -> Option<Given> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(Given::Day(day));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(Given::Moment(time.with_timezone(&Utc)));
    }
    let naive = text.strip_suffix('Z').unwrap_or(text);
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(naive, format).ok())
        .map(|time| Given::Moment(if naive.len() == text.len() { local(time, zone) } else { time.and_utc() }))
}

/// A local time as a moment: the earlier one where clocks are set back, and an hour later where it
/// does not exist because they are set forward.
fn local(time: NaiveDateTime, zone: Tz) -> Time {
    let at = |time: NaiveDateTime| zone.from_local_datetime(&time).earliest();
    let later = || at(time.checked_add_signed(TimeDelta::hours(1))?);
    at(time).or_else(later).map_or_else(|| time.and_utc(), |t| t.with_timezone(&Utc))
}
