//! Tags of agents.

use sqlx::QueryBuilder;

use crate::{Result, ScopedStore, error::db, keyset::push_contains};

/// Which tags are wanted. They are in alphabetical order; cursors are tags.
#[derive(Debug, Clone, Default)]
pub struct TagFilter {
    /// With these words in them.
    pub query_text: Option<String>,
    /// Only what follows this tag.
    pub after: Option<String>,
    /// Only what precedes this tag.
    pub before: Option<String>,
    /// From Z to A.
    pub descending: bool,
    /// At most so many.
    pub limit: i64,
}

impl ScopedStore {
    /// Tags of all agents, each once.
    pub async fn tags(&self, f: &TagFilter) -> Result<Vec<String>> {
        // Byte order, so that cursors mean the same whatever the locale of the database is.
        let mut q = QueryBuilder::new(
            "SELECT tag FROM (SELECT DISTINCT unnest(tags) COLLATE \"C\" AS tag FROM agents WHERE true",
        );
        self.push_scope(&mut q, "organization_id");
        q.push(") AS t WHERE true");
        push_contains(&mut q, "tag", f.query_text.as_deref());
        let (follows, precedes, order) = if f.descending { (" < ", " > ", "DESC") } else { (" > ", " < ", "ASC") };
        if let Some(after) = &f.after {
            q.push(" AND tag").push(follows).push_bind(after.clone());
        }
        if let Some(before) = &f.before {
            q.push(" AND tag").push(precedes).push_bind(before.clone());
        }
        q.push(format_args!(" ORDER BY tag {order} LIMIT ")).push_bind(f.limit);
        q.build_query_scalar().fetch_all(&self.store.queries).await.map_err(db)
    }
}
