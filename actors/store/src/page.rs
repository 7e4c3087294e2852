//! Which part of a list is wanted.

use uuid::Uuid;

/// A page of a list, by keyset. Cursors are exclusive and speak of the list in the order asked
/// for: `after` is what follows the row, `before` the first `limit` rows of what precedes it. A
/// cursor that no row has is ignored, except in lists of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows at most.
    pub limit: i64,
    /// Only what follows this row.
    pub after: Option<Uuid>,
    /// Only what precedes this row.
    pub before: Option<Uuid>,
    /// Oldest first.
    pub ascending: bool,
}

impl Page {
    /// The newest `limit` rows, newest first.
    pub fn newest(limit: i64) -> Self {
        Self { limit, after: None, before: None, ascending: false }
    }

    /// The oldest `limit` rows, oldest first.
    pub fn oldest(limit: i64) -> Self {
        Self { limit, after: None, before: None, ascending: true }
    }

    /// `(direction, comparison for what follows, comparison for what precedes)` in SQL.
    pub(crate) fn sql(&self) -> (&'static str, &'static str, &'static str) {
        if self.ascending { ("ASC", ">", "<") } else { ("DESC", "<", ">") }
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::newest(50)
    }
}
