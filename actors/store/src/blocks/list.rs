//! Lists of blocks.

use engram_domain::{AgentId, Block};
use sqlx::{Postgres, QueryBuilder};

use crate::{
    Page, Result, ScopedStore,
    error::db,
    keyset::{Key, push_contains, push_equals, push_tags},
    rows::{BlockRow, block_columns},
    weight::{self, Weight},
};

const KEY: Key = Key { from: "blocks b", column: "b.created_at", id: "b.id" };

/// Which blocks are wanted. The default: all that are not hidden.
#[derive(Debug, Clone, Default)]
pub struct BlockFilter {
    /// With exactly this label.
    pub label: Option<String>,
    /// Only templates.
    pub templates_only: bool,
    /// With exactly this template name.
    pub name: Option<String>,
    /// With this project id.
    pub project_id: Option<String>,
    /// With any of these tags, or all of them.
    pub tags: Vec<String>,
    /// Whether all of `tags` are needed.
    pub match_all_tags: bool,
    /// With these words in the label.
    pub label_search: Option<String>,
    /// With these words in the description.
    pub description_search: Option<String>,
    /// With these words in the text.
    pub value_search: Option<String>,
    /// Attached to more agents than this.
    pub agents_gt: Option<i64>,
    /// Attached to fewer agents than this.
    pub agents_lt: Option<i64>,
    /// Attached to one of these numbers of agents.
    pub agents_eq: Vec<i64>,
    /// Attached to this agent.
    pub agent_id: Option<AgentId>,
}

impl ScopedStore {
    /// A page of blocks.
    pub async fn blocks(&self, filter: &BlockFilter, page: Page) -> Result<Vec<Block>> {
        let mut q = weight::BLOCK.open(page, concat!("SELECT ", block_columns!(), " FROM blocks b"));
        push_where(&mut q, filter);
        self.push_scope(&mut q, "b.organization_id");
        self.push_page(&mut q, KEY, page).await?;
        Weight::close(page, &mut q);
        q.build_query_as::<BlockRow>()
            .fetch_all(&self.store.queries)
            .await
            .map_err(db)?
            .into_iter()
            .map(Block::try_from)
            .collect()
    }

    /// How many blocks there are.
    pub async fn count_blocks(&self, filter: &BlockFilter) -> Result<i64> {
        let mut q = QueryBuilder::new("SELECT count(*) FROM blocks b");
        push_where(&mut q, filter);
        self.push_scope(&mut q, "b.organization_id");
        q.build_query_scalar().fetch_one(&self.store.queries).await.map_err(db)
    }
}

fn push_where(q: &mut QueryBuilder<Postgres>, f: &BlockFilter) {
    const AGENTS: &str = "(SELECT count(*) FROM agent_blocks ab WHERE ab.block_id = b.id)";
    q.push(" WHERE b.hidden IS NOT TRUE");
    push_equals(q, "b.label", f.label.as_deref());
    if f.templates_only {
        q.push(" AND b.is_template");
    }
    push_equals(q, "b.template_name", f.name.as_deref());
    push_equals(q, "b.project_id", f.project_id.as_deref());
    push_tags(q, "b.tags", &f.tags, f.match_all_tags);
    push_contains(q, "b.label", f.label_search.as_deref());
    push_contains(q, "b.description", f.description_search.as_deref());
    push_contains(q, "b.value", f.value_search.as_deref());
    if let Some(n) = f.agents_gt {
        q.push(format_args!(" AND {AGENTS} > ")).push_bind(n);
    }
    if let Some(n) = f.agents_lt {
        q.push(format_args!(" AND {AGENTS} < ")).push_bind(n);
    }
    if !f.agents_eq.is_empty() {
        q.push(format_args!(" AND {AGENTS} = ANY (")).push_bind(f.agents_eq.clone()).push(")");
    }
    if let Some(agent) = f.agent_id {
        q.push(" AND b.id IN (SELECT block_id FROM agent_blocks WHERE agent_id = ").push_bind(agent.0).push(")");
    }
}
