//! Pages of lists, by the value of the sort column and the id.

use engram_domain::Time;
use sqlx::{AssertSqlSafe, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::{Page, Result, ScopedStore, error::db};

/// How a list is ordered and where its cursors are looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// Where one row's sort value is found: a `FROM` clause.
    pub from: &'static str,
    /// The sort column, a `timestamptz` that is never null.
    pub column: &'static str,
    /// The id column, which breaks ties.
    pub id: &'static str,
}

impl ScopedStore {
    /// Appends the cursors, the order and the limit of `page` to a query that already has a `WHERE`.
    /// A cursor that no row has is ignored.
    pub(crate) async fn push_page(&self, q: &mut QueryBuilder<Postgres>, key: Key, page: Page) -> Result<()> {
        let (direction, follows, precedes) = page.sql();
        for (cursor, comparison) in [(page.after, follows), (page.before, precedes)] {
            let Some(id) = cursor else { continue };
            let Some(value) = self.sort_value(key, id).await? else { continue };
            q.push(format_args!(" AND ({}, {}) {comparison} (", key.column, key.id));
            q.push_bind(value).push(", ").push_bind(id).push(")");
        }
        q.push(format_args!(" ORDER BY {} {direction}, {} {direction} LIMIT ", key.column, key.id));
        q.push_bind(page.limit);
        Ok(())
    }

    async fn sort_value(&self, key: Key, id: Uuid) -> Result<Option<Time>> {
        let sql = format!("SELECT {} FROM {} WHERE {} = $1", key.column, key.from, key.id);
        // Only constants of this crate are in it.
        sqlx::query_scalar(AssertSqlSafe(sql)).bind(id).fetch_optional(&self.store.queries).await.map_err(db)
    }
}

/// Appends a condition on tags: all of them or any of them. Nothing for an empty list.
pub(crate) fn push_tags(q: &mut QueryBuilder<Postgres>, column: &str, tags: &[String], all: bool) {
    if tags.is_empty() {
        return;
    }
    q.push(format_args!(" AND {column} {} ", if all { "@>" } else { "&&" }));
    q.push_bind(tags.to_vec());
}

/// Appends a condition that a text column contains the words, whatever their case.
pub(crate) fn push_contains(q: &mut QueryBuilder<Postgres>, column: &str, words: Option<&str>) {
    if let Some(words) = words {
        q.push(format_args!(" AND strpos(lower({column}), lower("));
        q.push_bind(words.to_owned()).push(")) > 0");
    }
}

/// Appends `column = value` where there is a value.
pub(crate) fn push_equals(q: &mut QueryBuilder<Postgres>, column: &str, value: Option<&str>) {
    if let Some(value) = value {
        q.push(format_args!(" AND {column} = "));
        q.push_bind(value.to_owned());
    }
}
