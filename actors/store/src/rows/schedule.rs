//! `schedules`.

use engram_domain::{RunId, RunStatus, Schedule, Time, schedule::When};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    StoreError,
    json::{RawJson, corrupt},
};

/// Columns of [`ScheduleRow`], for `FROM schedules s LEFT JOIN runs r ON r.id = s.last_run_id`.
macro_rules! schedule_columns {
    () => {
        "s.id, s.agent_id, s.input, s.callback_url, s.kind, s.scheduled_at, s.cron, s.timezone, s.every_seconds, \
         s.next_at, s.last_at, s.last_run_id, s.runs, s.created_at, r.status AS last_run_status"
    };
}
pub(crate) use schedule_columns;

#[derive(FromRow)]
pub(crate) struct ScheduleRow {
    pub id: Uuid,
    agent_id: Uuid,
    input: RawJson,
    callback_url: Option<String>,
    #[sqlx(flatten)]
    when: WhenRow,
    next_at: Option<Time>,
    last_at: Option<Time>,
    last_run_id: Option<Uuid>,
    last_run_status: Option<String>,
    runs: i64,
    created_at: Time,
}

/// `kind` and the columns that go with it. In `groups` all of them may be empty.
#[derive(Debug, Clone, Default, FromRow)]
pub(crate) struct WhenRow {
    pub kind: Option<String>,
    pub scheduled_at: Option<Time>,
    pub cron: Option<String>,
    pub timezone: Option<String>,
    pub every_seconds: Option<i64>,
}

impl WhenRow {
    /// When. `table` and `id` are for the error.
    pub fn when(self, table: &'static str, id: Uuid) -> Result<When, StoreError> {
        let kind = self.kind.as_deref().unwrap_or_default();
        match (kind, self.scheduled_at, self.cron, self.timezone, self.every_seconds) {
            ("one-time", Some(at), ..) => Ok(When::OneTime { at }),
            ("recurring", _, Some(cron), Some(timezone), _) => Ok(When::Recurring { cron, timezone }),
            ("interval", .., Some(every_seconds)) => Ok(When::Interval { every_seconds }),
            _ => Err(corrupt(table, "kind", id, format!("no such kind, or its column is empty: {kind}"))),
        }
    }

    /// When, where it may be never.
    pub fn some(self, table: &'static str, id: Uuid) -> Result<Option<When>, StoreError> {
        self.kind.is_some().then(|| self.when(table, id)).transpose()
    }
}

impl From<&When> for WhenRow {
    fn from(when: &When) -> Self {
        let mut out = Self { kind: Some(when.kind().to_owned()), ..Self::default() };
        match when {
            When::OneTime { at } => out.scheduled_at = Some(*at),
            When::Recurring { cron, timezone } => {
                out.cron = Some(cron.clone());
                out.timezone = Some(timezone.clone());
            }
            When::Interval { every_seconds } => out.every_seconds = Some(*every_seconds),
        }
        out
    }
}

impl TryFrom<ScheduleRow> for Schedule {
    type Error = StoreError;

    fn try_from(row: ScheduleRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            agent_id: row.agent_id.into(),
            input: row.input.parse("schedules", "input", row.id)?,
            callback_url: row.callback_url,
            when: row.when.when("schedules", row.id)?,
            next_at: row.next_at,
            last_at: row.last_at,
            last_run_id: row.last_run_id.map(RunId),
            last_run_status: row.last_run_status.as_deref().and_then(RunStatus::parse),
            runs: row.runs,
            created_at: row.created_at,
        })
    }
}
