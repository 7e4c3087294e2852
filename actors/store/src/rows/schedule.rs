//! `schedules`.

use engram_domain::{RunId, RunStatus, Schedule, Time};
use sqlx::FromRow;
use uuid::Uuid;

use super::WhenRow;
use crate::{StoreError, json::RawJson};

/// Columns of [`ScheduleRow`], for `FROM schedules s LEFT JOIN runs r ON r.id = s.last_run_id`.
macro_rules! schedule_columns {
    () => {
        concat!(
            "s.id, s.agent_id, s.input, s.callback_url, s.next_at, s.last_at, s.last_run_id, s.runs, s.created_at, \
             r.status AS last_run_status, ",
            $crate::rows::when_columns!("s")
        )
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
