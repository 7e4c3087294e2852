//! `kind` and the columns that go with it: the same in `schedules` and in `group_sleep`.

use engram_domain::{Time, schedule::When};
use sqlx::{FromRow, Postgres, postgres::PgArguments, query::Query};
use uuid::Uuid;

use crate::{StoreError, json::corrupt};

/// Columns of [`WhenRow`] of the table with this alias.
macro_rules! when_columns {
    ($table:literal) => {
        concat!(
            $table,
            ".kind, ",
            $table,
            ".scheduled_at, ",
            $table,
            ".cron, ",
            $table,
            ".timezone, ",
            $table,
            ".every_seconds"
        )
    };
}
pub(crate) use when_columns;

/// `kind` and the columns that go with it. In `group_sleep` all of them may be empty.
#[derive(Debug, Clone, Default, FromRow)]
pub(crate) struct WhenRow {
    kind: Option<String>,
    scheduled_at: Option<Time>,
    cron: Option<String>,
    timezone: Option<String>,
    every_seconds: Option<i64>,
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

    /// Binds `kind`, `scheduled_at`, `cron`, `timezone` and `every_seconds`, in this order.
    pub fn bind(self, query: Query<'_, Postgres, PgArguments>) -> Query<'_, Postgres, PgArguments> {
        query.bind(self.kind).bind(self.scheduled_at).bind(self.cron).bind(self.timezone).bind(self.every_seconds)
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
