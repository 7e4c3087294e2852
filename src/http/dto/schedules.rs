//! Schedules on the wire, as the 1.x SDK has them.
//!
//! Ours beyond that: `{"type": "interval", "every_seconds": 60}`, `timezone` of a recurring schedule,
//! and what became of the last time.

use engram_core::schedule::{self, BadWhen};
use engram_domain::{Json, RunInput, RunStatus, Schedule, Time, run::InputMessage, schedule::When};
use serde::{Deserialize, Serialize};
use serde_json::{Number, json};
use utoipa::ToSchema;

use super::messages::{MessageCreate, MessageRequest, letta::timestamp};
use crate::{
    app::{limits, schedules::ScheduleSpec},
    http::error::ApiError,
};

/// How long ago a one-time message may have been due: clocks differ, and requests take time.
const GRACE_SECONDS: i64 = 60;
/// The longest interval: ten years.
const LONGEST_INTERVAL: i64 = 10 * 366 * 86_400;

/// A message that is to be sent at a time.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = ScheduleCreate)]
pub struct CreateSchedule {
    /// What to say.
    pub messages: Vec<MessageCreate>,
    /// When.
    pub schedule: WhenDto,
    /// Model calls at most; absent or 0 means the default of 50.
    #[schema(value_type = Option<i64>)]
    pub max_steps: Option<Number>,
    /// Where to report the end of each run.
    pub callback_url: Option<String>,
    /// Only messages of these types.
    pub include_return_message_types: Option<Vec<String>>,
}

/// When: `one-time` with `scheduled_at`, `recurring` with `cron_expression`, `interval` with
/// `every_seconds`. The type may be left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = ScheduleWhen)]
pub struct WhenDto {
    /// `one-time`, `recurring` or `interval`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Milliseconds since 1970-01-01 UTC.
    #[schema(value_type = Option<f64>)]
    pub scheduled_at: Option<Number>,
    /// Minute, hour, day of the month, month, day of the week.
    pub cron_expression: Option<String>,
    /// Whose clock that is, an IANA name; the agent's when absent.
    pub timezone: Option<String>,
    /// Seconds from one time to the next; the first is so long after now.
    #[schema(value_type = Option<i64>)]
    pub every_seconds: Option<Number>,
}

/// The whole part; clients reckon with fractions of milliseconds.
fn truncated(n: &Number) -> Option<i64> {
    n.as_i64().or_else(|| format!("{:.0}", n.as_f64()?.trunc()).parse().ok())
}

/// Python clients write `5.0`.
fn whole(n: &Number) -> Option<i64> {
    n.as_i64().or_else(|| n.as_f64().filter(|f| f.fract() == 0.0).and_then(|_| truncated(n)))
}

impl WhenDto {
    /// When, and for the first time. `loc` is where it stands in the request, `zone` is the agent's.
    pub fn read(self, loc: &[&str], zone: &str, now: Time) -> Result<(When, Time), ApiError> {
        let wrong = |member: &'static str, expected: &str, input| {
            ApiError::invalid(&[loc, &[member]].concat(), expected, input)
        };
        let when = self.when(wrong, zone, now)?;
        let first = schedule::first(&when, now).map_err(|error| {
            let (member, input) = match error {
                BadWhen::Cron(_) | BadWhen::Never => ("cron_expression", json!(self.cron_expression)),
                BadWhen::Timezone => ("timezone", json!(self.timezone)),
            };
            wrong(member, &error.to_string(), input)
        })?;
        Ok((when, first))
    }

    fn when(
        &self,
        wrong: impl Fn(&'static str, &str, Json) -> ApiError,
        zone: &str,
        now: Time,
    ) -> Result<When, ApiError> {
        let missing = |member| wrong(member, "Field required", Json::Null);
        match self.kind.as_deref().unwrap_or(self.guess()) {
            "one-time" => {
                let n = self.scheduled_at.as_ref().ok_or_else(|| missing("scheduled_at"))?;
                let at = truncated(n).and_then(Time::from_timestamp_millis);
                let at = at.filter(|at| (now - *at).num_seconds() <= GRACE_SECONDS).ok_or_else(|| {
                    let expected = "expected a time to come, in milliseconds (not seconds) since 1970-01-01 UTC";
                    wrong("scheduled_at", expected, json!(n))
                })?;
                Ok(When::OneTime { at })
            }
            "recurring" => Ok(When::Recurring {
                cron: self.cron_expression.clone().ok_or_else(|| missing("cron_expression"))?,
                timezone: self.timezone.clone().unwrap_or_else(|| zone.to_owned()),
            }),
            "interval" => {
                let n = self.every_seconds.as_ref().ok_or_else(|| missing("every_seconds"))?;
                let every = whole(n).filter(|n| (1..=LONGEST_INTERVAL).contains(n)).ok_or_else(|| {
                    let expected = format!("expected an integer from 1 to {LONGEST_INTERVAL}");
                    wrong("every_seconds", &expected, json!(n))
                })?;
                Ok(When::Interval { every_seconds: every })
            }
            other => Err(wrong("type", "expected `one-time`, `recurring` or `interval`", json!(other))),
        }
    }

    fn guess(&self) -> &'static str {
        match (&self.cron_expression, &self.every_seconds) {
            (Some(_), _) => "recurring",
            (None, Some(_)) => "interval",
            (None, None) => "one-time",
        }
    }
}

impl CreateSchedule {
    /// What the application is asked for, with what [`WhenDto::read`] found.
    pub fn spec(self, (when, first): (When, Time)) -> Result<ScheduleSpec, ApiError> {
        Ok(ScheduleSpec { input: self.input(when.repeats())?, callback_url: self.callback_url, when, first })
    }

    /// What is asked of the agent each time. Messages of a schedule that repeats lose their `otid`: what
    /// is sent again is another message.
    fn input(&self, repeats: bool) -> Result<RunInput, ApiError> {
        if self.messages.is_empty() {
            return Err(ApiError::invalid(&["body", "messages"], "Messages must not be empty", json!([])));
        }
        limits::at_most(&["messages"], "messages", self.messages.len(), limits::MESSAGES)?;
        let max_steps = match &self.max_steps {
            None => None,
            Some(n) => Some(whole(n).ok_or_else(|| {
                let expected = format!("expected an integer from 0 to {}", limits::STEPS);
                ApiError::invalid(&["body", "max_steps"], expected, json!(n))
            })?),
        };
        let request = MessageRequest {
            max_steps,
            include_return_message_types: self.include_return_message_types.clone(),
            ..MessageRequest::default()
        };
        let messages = self.messages.iter().enumerate().map(|(i, m)| message(&i.to_string(), m, repeats));
        Ok(RunInput { messages: messages.collect::<Result<_, _>>()?, ..request.run_input()? })
    }
}

fn message(index: &str, m: &MessageCreate, repeats: bool) -> Result<InputMessage, ApiError> {
    if let Some(kind) = m.kind.as_deref().filter(|k| *k != "message") {
        return Err(ApiError::invalid(&["body", "messages", index, "type"], "expected `message`", json!(kind)));
    }
    let mut m = m.clone();
    // In this request a part that has a text need not say that it is one.
    for part in m.content.iter_mut().filter_map(Json::as_array_mut).flatten().filter_map(Json::as_object_mut) {
        if part.contains_key("text") && !part.contains_key("type") {
            part.insert("type".into(), json!("text"));
        }
    }
    let mut input = m.input(&["body", "messages", index])?;
    if repeats {
        input.otid = None;
    }
    Ok(input)
}

/// A schedule that was created.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleCreated {
    /// Its id.
    pub id: String,
    /// When it is due first.
    #[schema(format = DateTime)]
    pub next_scheduled_at: Option<String>,
}

/// A page of schedules.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduledMessages {
    /// The schedules, those that are over too.
    pub scheduled_messages: Vec<ScheduledMessageDto>,
    /// Whether there are more behind the last one.
    pub has_next_page: bool,
}

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScheduledMessage)]
pub struct ScheduledMessageDto {
    /// Its id.
    pub id: String,
    /// Who gets the message.
    pub agent_id: String,
    /// The message.
    pub message: ScheduledRequest,
    /// When.
    pub schedule: WhenOut,
    /// When it is due next; null when it never is again. In the past when the run of the time before
    /// has not ended.
    #[schema(format = DateTime)]
    pub next_scheduled_time: Option<String>,
    /// When it was due last.
    #[schema(format = DateTime)]
    pub last_scheduled_at: Option<String>,
    /// The run of that time.
    pub last_run_id: Option<String>,
    /// How far it has come: `created`, `running`, `completed`, `failed` or `cancelled`.
    pub last_run_status: Option<&'static str>,
}

/// What is asked of the agent each time.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduledRequest {
    /// What is said.
    pub messages: Vec<ScheduledContent>,
    /// Model calls at most.
    pub max_steps: i32,
    /// Where the end of each run is reported.
    pub callback_url: Option<String>,
    /// Only messages of these types.
    #[schema(value_type = Option<Vec<String>>)]
    pub include_return_message_types: Option<Json>,
}

/// One message.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduledContent {
    /// `message`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `user`, `system` or `assistant`.
    pub role: &'static str,
    /// Its parts.
    #[schema(value_type = Vec<Object>)]
    pub content: Json,
    /// Name of the speaker.
    pub name: Option<String>,
    /// The caller's own id.
    pub otid: Option<String>,
    /// Who sends it.
    pub sender_id: Option<String>,
}

/// When.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum WhenOut {
    /// Once.
    OneTime {
        /// Milliseconds since 1970-01-01 UTC.
        scheduled_at: i64,
    },
    /// By the clock on the wall.
    Recurring {
        /// Which times.
        cron_expression: String,
        /// Whose clock.
        timezone: String,
    },
    /// Again and again.
    Interval {
        /// Seconds from one time to the next.
        every_seconds: i64,
    },
}

impl From<Schedule> for ScheduledMessageDto {
    fn from(s: Schedule) -> Self {
        let content = |m: InputMessage| ScheduledContent {
            kind: "message",
            role: m.role.as_str(),
            content: json!(m.content),
            name: m.name,
            otid: m.otid,
            sender_id: m.sender_id,
        };
        let types = s.input.request_config.get("include_return_message_types").filter(|t| !t.is_null()).cloned();
        Self {
            id: s.id.to_string(),
            agent_id: s.agent_id.to_string(),
            message: ScheduledRequest {
                messages: s.input.messages.into_iter().map(content).collect(),
                max_steps: s.input.max_steps,
                callback_url: s.callback_url,
                include_return_message_types: types,
            },
            schedule: s.when.into(),
            next_scheduled_time: s.next_at.map(timestamp),
            last_scheduled_at: s.last_at.map(timestamp),
            last_run_id: s.last_run_id.map(|r| r.to_string()),
            last_run_status: s.last_run_status.map(RunStatus::as_str),
        }
    }
}

impl From<When> for WhenOut {
    fn from(when: When) -> Self {
        match when {
            When::OneTime { at } => Self::OneTime { scheduled_at: at.timestamp_millis() },
            When::Recurring { cron, timezone } => Self::Recurring { cron_expression: cron, timezone },
            When::Interval { every_seconds } => Self::Interval { every_seconds },
        }
    }
}

#[cfg(test)]
mod tests {
    use engram_domain::AgentId;
    use uuid::Uuid;

    use super::*;

    const NOW: i64 = 1_780_000_000_000;

    fn now() -> Time {
        Time::from_timestamp_millis(NOW).expect("a time")
    }

    fn read(when: Json) -> Result<(When, Time), ApiError> {
        let when: WhenDto = serde_json::from_value(when).expect("the outer shape is right");
        when.read(&["body", "schedule"], "Europe/Berlin", now())
    }

    fn refusal(when: Json) -> String {
        let error = read(when).expect_err("it is wrong");
        let problem = &error.body()["detail"][0];
        format!("{}: {}", problem["loc"][2], problem["msg"])
    }

    #[test]
    fn every_spelling_is_read() {
        let at = |when| read(when).expect("valid").1.timestamp_millis() - NOW;
        assert_eq!(at(json!({"scheduled_at": NOW + 5_000})), 5_000);
        assert_eq!(at(json!({"type": "one-time", "scheduled_at": 1_780_000_005_000.75})), 5_000);
        assert_eq!(at(json!({"scheduled_at": NOW - 5_000})), -5_000, "a slow clock; it is due at once");
        assert_eq!(at(json!({"type": "interval", "every_seconds": 60.0})), 60_000);
        assert_eq!(at(json!({"every_seconds": 1})), 1_000);
        // It is 22:26:40 in Berlin.
        assert_eq!(at(json!({"type": "recurring", "cron_expression": "0 23 * * *"})), 2_000_000);
        assert_eq!(at(json!({"cron_expression": "0 23 * * *", "timezone": "UTC"})), 9_200_000);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        insta::assert_snapshot!(refusal(json!({})), @r#""scheduled_at": "Field required""#);
        insta::assert_snapshot!(refusal(json!({"scheduled_at": 1_780_000_100})), @r#""scheduled_at": "expected a time to come, in milliseconds (not seconds) since 1970-01-01 UTC""#);
        insta::assert_snapshot!(refusal(json!({"scheduled_at": 1e300})), @r#""scheduled_at": "expected a time to come, in milliseconds (not seconds) since 1970-01-01 UTC""#);
        insta::assert_snapshot!(refusal(json!({"type": "daily"})), @r#""type": "expected `one-time`, `recurring` or `interval`""#);
        insta::assert_snapshot!(refusal(json!({"type": "recurring"})), @r#""cron_expression": "Field required""#);
        insta::assert_snapshot!(refusal(json!({"cron_expression": "0 0 30 2 *"})), @r#""cron_expression": "expected a cron expression that fits a time to come""#);
        insta::assert_snapshot!(refusal(json!({"cron_expression": "@daily", "timezone": "Mars"})), @r#""timezone": "expected the IANA name of a time zone, as `Europe/Berlin`""#);
        insta::assert_snapshot!(refusal(json!({"every_seconds": 0.5})), @r#""every_seconds": "expected an integer from 1 to 316224000""#);
        assert!(refusal(json!({"cron_expression": "often"})).starts_with(r#""cron_expression": "expected a cron"#));
    }

    #[test]
    fn what_was_asked_is_shown_again() {
        let request: CreateSchedule = serde_json::from_value(json!({
            "messages": [{"role": "user", "content": [{"text": "hi"}], "otid": "o"}, {"role": "system", "content": "x"}],
            "schedule": {}, "max_steps": 3.0, "include_return_message_types": ["assistant_message"],
        }))
        .expect("valid");
        assert_eq!(request.input(true).expect("valid").messages[0].otid, None);
        let shown = ScheduledMessageDto::from(Schedule {
            input: request.input(false).expect("valid"),
            next_at: Some(now()),
            last_run_status: Some(RunStatus::Failed),
            runs: 1,
            ..engram_testkit::schedule(AgentId(Uuid::nil()), When::Interval { every_seconds: 60 })
        });
        insta::assert_json_snapshot!(shown, @r#"
        {
          "id": "schedule-00000000-0000-0000-0000-000000000000",
          "agent_id": "agent-00000000-0000-0000-0000-000000000000",
          "message": {
            "messages": [
              {
                "type": "message",
                "role": "user",
                "content": [
                  {
                    "type": "text",
                    "text": "hi"
                  }
                ],
                "name": null,
                "otid": "o",
                "sender_id": null
              },
              {
                "type": "message",
                "role": "system",
                "content": [
                  {
                    "type": "text",
                    "text": "x"
                  }
                ],
                "name": null,
                "otid": null,
                "sender_id": null
              }
            ],
            "max_steps": 3,
            "callback_url": null,
            "include_return_message_types": [
              "assistant_message"
            ]
          },
          "schedule": {
            "type": "interval",
            "every_seconds": 60
          },
          "next_scheduled_time": "2026-05-28T20:26:40.000000Z",
          "last_scheduled_at": null,
          "last_run_id": null,
          "last_run_status": "failed"
        }
        "#);
    }
}
