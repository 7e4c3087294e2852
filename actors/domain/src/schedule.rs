//! A message that is sent to an agent at a time, or again and again.

use crate::{AgentId, RunId, RunInput, RunStatus, ScheduleId, Time};

/// When a schedule is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Once.
    OneTime {
        /// The moment.
        at: Time,
    },
    /// Whenever the clock on the wall of a zone fits an expression.
    Recurring {
        /// Cron expression: minute, hour, day of the month, month, day of the week; seconds before
        /// and a year behind may be given.
        cron: String,
        /// IANA name of the zone.
        timezone: String,
    },
    /// Again and again.
    Interval {
        /// Seconds from one time to the next.
        every_seconds: i64,
    },
}

impl When {
    /// Its kind, in the spelling of the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::OneTime { .. } => "one-time",
            Self::Recurring { .. } => "recurring",
            Self::Interval { .. } => "interval",
        }
    }

    /// Whether it is due more than once.
    pub fn repeats(&self) -> bool {
        !matches!(self, Self::OneTime { .. })
    }
}

/// A message that is sent to an agent at a time, or again and again. Each time is a run of its own.
///
/// A time that passed while no server was there is made up for once, however many were missed. One
/// that comes while the run before is still going on waits for that run's end.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// Who gets the message, in its default conversation.
    pub agent_id: AgentId,
    /// What is asked each time.
    pub input: RunInput,
    /// Where the end of each run is reported.
    pub callback_url: Option<String>,
    /// When.
    pub when: When,
    /// When it is due next; none when it never is again.
    pub next_at: Option<Time>,
    /// When it was due last.
    pub last_at: Option<Time>,
    /// The run of that time.
    pub last_run_id: Option<RunId>,
    /// How far that run has come; none where it was deleted.
    pub last_run_status: Option<RunStatus>,
    /// How many runs it has begun.
    pub runs: i64,
    /// When it was created.
    pub created_at: Time,
}
