//! Lists that end before they weigh too much.
//!
//! Rows of one table may have some bytes or ten megabytes, so a number of rows says nothing about an answer. A page with
//! [`Page::most_bytes`] ends with the row that reaches it; the first row always comes. What follows is the next page's:
//! its cursor is the last row, as ever.

use sqlx::{Postgres, QueryBuilder};

use crate::Page;

/// What the rows of a query weigh, as SQL over its columns. They are called `page` there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weight {
    /// What is cheap to say: lengths of texts, and of JSON as it is stored, which may be compressed.
    stored: &'static str,
    /// What the rows will really have. Looked at only for rows that may come by what is stored: it unpacks them.
    shown: &'static str,
}

/// Of messages.
pub(crate) const MESSAGE: Weight =
    Weight { stored: "pg_column_size(page.content)", shown: "octet_length(page.content::text)" };
/// Of blocks.
pub(crate) const BLOCK: Weight = Weight {
    stored: "octet_length(page.value) + coalesce(octet_length(page.description), 0) + pg_column_size(page.metadata)",
    shown: "octet_length(page.value) + coalesce(octet_length(page.description), 0) \
            + octet_length(page.metadata::text)",
};
/// Of agents with what is shown of them. The text of a block stands in an answer twice.
pub(crate) const AGENT: Weight = Weight {
    stored: "octet_length(page.system) + pg_column_size(page.metadata) + pg_column_size(page.tool_rules) \
             + coalesce((SELECT sum(octet_length(b.value)) * 2 FROM agent_blocks ab JOIN blocks b ON b.id = ab.block_id \
                         WHERE ab.agent_id = page.id), 0)",
    shown: "octet_length(page.system) + octet_length(page.metadata::text) + octet_length(page.tool_rules::text) \
            + coalesce(octet_length(page.description), 0) + coalesce(octet_length(page.model_settings::text), 0) \
            + coalesce(octet_length(page.response_format::text), 0) \
            + coalesce((SELECT sum(octet_length(b.value) + coalesce(octet_length(b.description), 0) \
                                   + pg_column_size(b.metadata)) * 2 \
                        FROM agent_blocks ab JOIN blocks b ON b.id = ab.block_id WHERE ab.agent_id = page.id), 0) \
            + coalesce((SELECT sum(pg_column_size(t.json_schema) * 2 + coalesce(octet_length(t.source_code), 0)) \
                        FROM agent_tools at JOIN tools t ON t.id = at.tool_id WHERE at.agent_id = page.id), 0) \
            + coalesce((SELECT (c.next_seq - c.context_from) * 50 FROM conversations c WHERE c.id = page.id), 0)",
};
/// Of passages with their vectors: a number has about twelve characters, and four bytes.
pub(crate) const PASSAGE: Weight = Weight {
    stored: "octet_length(page.text) + pg_column_size(page.embedding) * 3 + pg_column_size(page.metadata)",
    shown: "octet_length(page.text) + pg_column_size(page.embedding) * 3 + octet_length(page.metadata::text)",
};
/// Of runs with what was asked.
pub(crate) const RUN: Weight = Weight {
    stored: "pg_column_size(page.input) + pg_column_size(page.metadata)",
    shown: "octet_length(page.input::text) + octet_length(page.metadata::text)",
};
/// Of archives.
pub(crate) const ARCHIVE: Weight = Weight {
    stored: "octet_length(page.name) + coalesce(octet_length(page.description), 0)",
    shown: "octet_length(page.name) + coalesce(octet_length(page.description), 0) \
            + coalesce(octet_length(page.metadata::text), 0)",
};
/// Of tools.
pub(crate) const TOOL: Weight = Weight {
    stored: "coalesce(octet_length(page.source_code), 0) + coalesce(octet_length(page.description), 0) \
             + pg_column_size(page.json_schema)",
    shown: "coalesce(octet_length(page.source_code), 0) + coalesce(octet_length(page.description), 0) \
            + octet_length(page.json_schema::text)",
};
/// Of what a run has shown.
pub(crate) const EVENT: Weight =
    Weight { stored: "pg_column_size(page.event)", shown: "octet_length(page.event::text)" };

impl Weight {
    /// Begins a query for a page, in the place of `QueryBuilder::new`. Its order and limit follow, then
    /// [`Weight::close`].
    pub(crate) fn open(self, page: Page, select: &'static str) -> QueryBuilder<Postgres> {
        match page.most_bytes {
            None => QueryBuilder::new(select),
            Some(_) => QueryBuilder::new(format!(
                "SELECT * FROM (SELECT *, sum({}) OVER those_before AS shown_before \
                 FROM (SELECT *, sum({}) OVER those_before AS stored_before FROM ({select}",
                self.shown, self.stored
            )),
        }
    }

    /// Ends it. A row comes as long as those before it weigh less than the page may.
    pub(crate) fn close(page: Page, q: &mut QueryBuilder<Postgres>) {
        const WINDOW: &str = "WINDOW those_before AS (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)";
        if let Some(most) = page.most_bytes {
            // In the order that the innermost query has: nothing here sorts.
            q.push(format_args!(") page {WINDOW}) page WHERE coalesce(stored_before, 0) < ")).push_bind(most);
            q.push(format_args!(" {WINDOW}) page WHERE coalesce(shown_before, 0) < ")).push_bind(most);
        }
    }
}
