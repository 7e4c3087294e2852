//! When a schedule is due next: pure arithmetic over [`When`].
//!
//! A cron expression speaks of the clock on the wall of its zone. A time of day that a change to
//! summer time leaves out is due right after the gap; one that the change back repeats is due once.

use std::str::FromStr;

use chrono::Duration;
use chrono_tz::Tz;
use croner::{Cron, parser::CronParser};
use engram_domain::{Time, schedule::When};

/// Why there is no next time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadWhen {
    /// The expression is none.
    #[error("expected a cron expression of five fields, as `0 9 * * MON-FRI`: {0}")]
    Cron(String),
    /// The expression fits no time that will ever be.
    #[error("expected a cron expression that fits a time to come")]
    Never,
    /// There is no such time zone.
    #[error("expected the IANA name of a time zone, as `Europe/Berlin`")]
    Timezone,
}

/// When it is due for the first time. A moment in the past is due at once.
pub fn first(when: &When, now: Time) -> Result<Time, BadWhen> {
    match when {
        When::OneTime { at } => Ok(*at),
        When::Recurring { cron, timezone } => occurrence(cron, timezone, now),
        When::Interval { every_seconds } => Ok(now + Duration::seconds(*every_seconds)),
    }
}

/// When it is due again after it was due at `due` and is dealt with `now`: later than both, so that
/// what was missed is made up for once. An interval keeps its beat. None when it was due for the
/// last time.
pub fn following(when: &When, due: Time, now: Time) -> Result<Option<Time>, BadWhen> {
    match when {
        When::OneTime { .. } => Ok(None),
        When::Recurring { cron, timezone } => match occurrence(cron, timezone, due.max(now)) {
            Ok(at) => Ok(Some(at)),
            // One with a year in it comes to its end.
            Err(BadWhen::Never) => Ok(None),
            Err(error) => Err(error),
        },
        When::Interval { every_seconds } => {
            let every = (*every_seconds).max(1);
            let missed = (now - due).num_seconds().max(0) / every;
            Ok(Some(due + Duration::seconds(every.saturating_mul(missed + 1))))
        }
    }
}

fn occurrence(cron: &str, timezone: &str, after: Time) -> Result<Time, BadWhen> {
    let zone = Tz::from_str(timezone).map_err(|_| BadWhen::Timezone)?;
    let cron: Cron = CronParser::new().parse(cron).map_err(|e| BadWhen::Cron(e.to_string()))?;
    let next = cron.find_next_occurrence(&after.with_timezone(&zone), false).map_err(|_| BadWhen::Never)?;
    Ok(next.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(text: &str) -> Time {
        text.parse().expect("a time")
    }

    fn daily(cron: &str, timezone: &str) -> When {
        When::Recurring { cron: cron.into(), timezone: timezone.into() }
    }

    fn next(cron: &str, timezone: &str, after: &str) -> String {
        let at = first(&daily(cron, timezone), t(after)).expect("it comes");
        at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    #[test]
    fn a_cron_expression_is_read_on_the_wall_of_its_zone() {
        assert_eq!(next("0 9 * * *", "UTC", "2026-06-01T09:00:00Z"), "2026-06-02T09:00:00Z");
        assert_eq!(next("0 9 * * *", "America/New_York", "2026-06-01T00:00:00Z"), "2026-06-01T13:00:00Z");
        assert_eq!(next("0 9 * * *", "America/New_York", "2026-12-01T00:00:00Z"), "2026-12-01T14:00:00Z");
        assert_eq!(next("*/15 * * * MON", "UTC", "2026-06-01T23:46:00Z"), "2026-06-08T00:00:00Z");
        assert_eq!(next("30 7 1 1 *", "Asia/Kolkata", "2026-06-01T00:00:00Z"), "2027-01-01T02:00:00Z");
        assert_eq!(next("@daily", "UTC", "2026-06-01T00:00:01Z"), "2026-06-02T00:00:00Z");
    }

    #[test]
    fn a_change_of_the_clocks_neither_swallows_nor_doubles_a_time() {
        // The hour from two to three does not exist on this day.
        let gap = daily("30 2 * * *", "Europe/Berlin");
        let at = first(&gap, t("2026-03-28T12:00:00Z")).expect("it comes");
        assert_eq!(at, t("2026-03-29T01:00:00Z"), "right after the gap, at three");
        assert_eq!(following(&gap, at, at), Ok(Some(t("2026-03-30T00:30:00Z"))));
        // And on this one it comes twice.
        let fold = daily("30 2 * * *", "Europe/Berlin");
        let at = first(&fold, t("2026-10-24T12:00:00Z")).expect("it comes");
        assert_eq!(at, t("2026-10-25T00:30:00Z"));
        assert_eq!(following(&fold, at, at), Ok(Some(t("2026-10-26T01:30:00Z"))));
    }

    #[test]
    fn what_was_missed_is_made_up_for_once() {
        let (due, late) = (t("2026-06-01T00:00:00Z"), t("2026-06-03T12:34:56Z"));
        assert_eq!(following(&When::OneTime { at: due }, due, late), Ok(None));
        assert_eq!(following(&daily("0 0 * * *", "UTC"), due, late), Ok(Some(t("2026-06-04T00:00:00Z"))));
        let beat = When::Interval { every_seconds: 3_600 };
        assert_eq!(following(&beat, due, late), Ok(Some(t("2026-06-03T13:00:00Z"))));
        assert_eq!(following(&beat, due, due), Ok(Some(t("2026-06-01T01:00:00Z"))));
        assert_eq!(following(&beat, due, t("2026-06-01T01:00:00Z")), Ok(Some(t("2026-06-01T02:00:00Z"))));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let bad =
            |cron: &str, zone: &str| first(&daily(cron, zone), t("2026-06-01T00:00:00Z")).expect_err("it is wrong");
        for cron in ["", "* * *", "61 * * * *", "every day", "* * * * * * * *"] {
            assert!(matches!(bad(cron, "UTC"), BadWhen::Cron(_)), "{cron}");
        }
        assert_eq!(bad("* * * * *", "Atlantis"), BadWhen::Timezone);
        assert_eq!(bad("0 0 30 2 *", "UTC"), BadWhen::Never);
        assert_eq!(bad("0 0 0 1 1 * 2020", "UTC"), BadWhen::Never);
        let last = daily("0 0 0 1 1 * 2027", "UTC");
        let at = first(&last, t("2026-06-01T00:00:00Z")).expect("it comes");
        assert_eq!(following(&last, at, at), Ok(None));
    }
}
