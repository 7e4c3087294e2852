//! Which part of a list is wanted.

use uuid::Uuid;

/// Bytes that a page of an answer has, and with its last row a little more ([`Page::most_bytes`]).
pub const PAGE_BYTES: i64 = 16 * 1024 * 1024;

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
    /// Bytes after which the page ends, though more rows would fit: the row that reaches them is its last. Without it,
    /// all rows come, as those need that look for something in them.
    pub most_bytes: Option<i64>,
}

impl Page {
    /// The newest `limit` rows, newest first.
    pub fn newest(limit: i64) -> Self {
        Self { limit, after: None, before: None, ascending: false, most_bytes: None }
    }

    /// The oldest `limit` rows, oldest first.
    pub fn oldest(limit: i64) -> Self {
        Self { limit, after: None, before: None, ascending: true, most_bytes: None }
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
