//! What makes sleep-time companions work besides a number of turns. Ours.

use engram_domain::{Json, Time, group::SleepTriggers, schedule::When};
use serde_json::{Number, json};

use super::WhenDto;
use crate::http::error::ApiError;

const MS_PER_MINUTE: i64 = 60_000;
/// The longest idleness to wait for: ten years.
const MOST_MINUTES: f64 = 10.0 * 366.0 * 24.0 * 60.0;

/// Milliseconds as minutes, without a fraction where there is none.
pub(super) fn minutes(ms: i64) -> Number {
    if ms % MS_PER_MINUTE == 0 {
        return (ms / MS_PER_MINUTE).into();
    }
    #[expect(clippy::cast_precision_loss, reason = "at most ten years, in milliseconds")]
    let minutes = ms as f64 / MS_PER_MINUTE as f64;
    Number::from_f64(minutes).unwrap_or_else(|| 0.into())
}

/// Makes the changes that were asked for: what is absent stays, null takes back.
pub(super) fn change(
    triggers: &mut SleepTriggers,
    idle_minutes: Option<&Option<Number>>,
    schedule: Option<&Option<WhenDto>>,
    now: Time,
) -> Result<(), ApiError> {
    if let Some(minutes) = idle_minutes {
        triggers.idle_ms = minutes.as_ref().map(milliseconds).transpose()?;
    }
    if let Some(schedule) = schedule {
        triggers.when = schedule.clone().map(|when| times(when, now)).transpose()?;
    }
    Ok(())
}

fn milliseconds(minutes: &Number) -> Result<i64, ApiError> {
    let ms = minutes.as_f64().filter(|n| *n > 0.0 && *n <= MOST_MINUTES).map(|n| (n * 60_000.0).ceil());
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of at most ten years, in milliseconds")]
    let ms = ms.map(|ms| ms as i64);
    ms.ok_or_else(|| {
        let expected = format!("expected a number above 0 and at most {MOST_MINUTES}");
        ApiError::invalid(&["body", "manager_config", "idle_minutes"], &expected, json!(minutes))
    })
}

fn times(when: WhenDto, now: Time) -> Result<When, ApiError> {
    let loc = ["body", "manager_config", "schedule"];
    let kind = when.kind.clone();
    // The route has put the manager's zone in where the request names none.
    let (when, _) = when.read(&loc, "UTC", now)?;
    if when.repeats() {
        return Ok(when);
    }
    let loc = [loc.as_slice(), &["type"]].concat();
    Err(ApiError::invalid(&loc, "expected `recurring` or `interval`", kind.map_or(Json::Null, Json::from)))
}

#[cfg(test)]
mod tests {
    use super::{super::ManagerConfigDto, *};

    const LEAD: &str = "agent-123e4567-e89b-42d3-8456-426614174000";

    fn read(mut config: Json) -> Result<SleepTriggers, String> {
        config["manager_type"] = json!("sleeptime");
        config["manager_agent_id"] = json!(LEAD);
        let dto: ManagerConfigDto = serde_json::from_value(config).expect("the outer shape is right");
        match dto.create(Time::UNIX_EPOCH) {
            Ok(engram_domain::ManagerConfig::Sleeptime { also, .. }) => Ok(also),
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                let problem = &error.body()["detail"][0];
                Err(format!("{} {}", problem["loc"], problem["msg"]))
            }
        }
    }

    #[test]
    fn idleness_and_times_are_read_and_taken_back() {
        let every = json!({"idle_minutes": 1.5, "schedule": {"every_seconds": 60}});
        let mut triggers = read(every).expect("valid");
        assert_eq!(triggers.idle_ms, Some(90_000));
        assert_eq!(triggers.when, Some(When::Interval { every_seconds: 60 }));
        assert_eq!((minutes(90_000), minutes(120_000)), (Number::from_f64(1.5).expect("finite"), 2.into()));
        let daily =
            json!({"schedule": {"type": "recurring", "cron_expression": "0 4 * * *", "timezone": "Asia/Tokyo"}});
        let daily = read(daily).expect("valid");
        assert!(matches!(daily.when, Some(When::Recurring { timezone, .. }) if timezone == "Asia/Tokyo"));
        change(&mut triggers, None, None, Time::UNIX_EPOCH).expect("nothing is asked");
        assert!(triggers.idle_ms.is_some() && triggers.when.is_some());
        change(&mut triggers, Some(&None), Some(&None), Time::UNIX_EPOCH).expect("valid");
        assert_eq!(triggers, SleepTriggers::default());
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let refused = |config| read(config).expect_err("it is wrong");
        insta::assert_snapshot!(refused(json!({"idle_minutes": 0})), @r#"["body","manager_config","idle_minutes"] "expected a number above 0 and at most 5270400""#);
        insta::assert_snapshot!(refused(json!({"schedule": {"every_seconds": 0}})), @r#"["body","manager_config","schedule","every_seconds"] "expected an integer from 1 to 316224000""#);
        insta::assert_snapshot!(refused(json!({"schedule": {"scheduled_at": 1_000}})), @r#"["body","manager_config","schedule","type"] "expected `recurring` or `interval`""#);
        insta::assert_snapshot!(refused(json!({"schedule": {"cron_expression": "@daily", "timezone": "Atlantis"}})), @r#"["body","manager_config","schedule","timezone"] "expected the IANA name of a time zone, as `Europe/Berlin`""#);
    }
}
