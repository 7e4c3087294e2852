//! Lists of agents.

use engram_domain::{Agent, AgentId, ArchiveId, BlockId, EnvVar, IdentityId, StopReason};
use sqlx::{Postgres, QueryBuilder};

use crate::{
    Page, Result, ScopedStore,
    error::db,
    keyset::{Key, push_contains, push_equals, push_tags},
    rows::{AgentRow, agent_columns},
    weight::{self, Weight},
};

/// Which agents are wanted. The default: all that are not hidden.
#[derive(Debug, Clone, Default)]
pub struct AgentFilter {
    /// With exactly this name.
    pub name: Option<String>,
    /// With any of these tags, or all of them.
    pub tags: Vec<String>,
    /// Whether all of `tags` are needed.
    pub match_all_tags: bool,
    /// With these words in the name.
    pub query_text: Option<String>,
    /// Of this identity.
    pub identity_id: Option<IdentityId>,
    /// With this project id.
    pub project_id: Option<String>,
    /// With this template id.
    pub template_id: Option<String>,
    /// With this base template id.
    pub base_template_id: Option<String>,
    /// Whose last run ended so.
    pub last_stop_reason: Option<StopReason>,
    /// To which this block is attached.
    pub block_id: Option<BlockId>,
    /// To which this archive is attached.
    pub archive_id: Option<ArchiveId>,
}

/// By what a list of agents is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AgentSort {
    /// When they were created.
    #[default]
    Created,
    /// When their configuration last changed.
    Updated,
    /// When their last run ended; those that never ran count as the oldest.
    LastRun,
}

impl AgentSort {
    fn key(self) -> Key {
        let column = match self {
            Self::Created => "a.created_at",
            Self::Updated => "a.updated_at",
            Self::LastRun => "COALESCE(d.last_run_completion, 'epoch'::timestamptz)",
        };
        Key { from: "agents a LEFT JOIN conversations d ON d.id = a.id", column, id: "a.id" }
    }
}

impl ScopedStore {
    /// A page of agents, with their variables.
    pub async fn agents(&self, filter: &AgentFilter, sort: AgentSort, page: Page) -> Result<Vec<Agent>> {
        let mut q = weight::AGENT.open(
            page,
            concat!("SELECT ", agent_columns!(), " FROM agents a LEFT JOIN conversations d ON d.id = a.id"),
        );
        push_where(&mut q, filter);
        self.push_scope(&mut q, "a.organization_id");
        self.push_page(&mut q, sort.key(), page).await?;
        Weight::close(page, &mut q);
        let rows = q.build_query_as::<AgentRow>().fetch_all(&self.store.queries).await.map_err(db)?;
        let ids: Vec<AgentId> = rows.iter().map(|r| r.id.into()).collect();
        let mut env = self.env_of(&ids).await?;
        rows.into_iter()
            .map(|row| {
                let env: Vec<EnvVar> = env.remove(&row.id).unwrap_or_default();
                row.into_agent(env)
            })
            .collect()
    }

    /// How many agents there are.
    pub async fn count_agents(&self, filter: &AgentFilter) -> Result<i64> {
        let mut q = QueryBuilder::new("SELECT count(*) FROM agents a LEFT JOIN conversations d ON d.id = a.id");
        push_where(&mut q, filter);
        self.push_scope(&mut q, "a.organization_id");
        q.build_query_scalar().fetch_one(&self.store.queries).await.map_err(db)
    }
}

fn push_where(q: &mut QueryBuilder<Postgres>, f: &AgentFilter) {
    q.push(" WHERE a.hidden IS NOT TRUE");
    push_equals(q, "a.name", f.name.as_deref());
    push_tags(q, "a.tags", &f.tags, f.match_all_tags);
    push_contains(q, "a.name", f.query_text.as_deref());
    push_equals(q, "a.project_id", f.project_id.as_deref());
    push_equals(q, "a.template_id", f.template_id.as_deref());
    push_equals(q, "a.base_template_id", f.base_template_id.as_deref());
    push_equals(q, "d.last_stop_reason", f.last_stop_reason.map(StopReason::as_str));
    if let Some(id) = f.identity_id {
        q.push(" AND a.id IN (SELECT agent_id FROM agent_identities WHERE identity_id = ").push_bind(id.0).push(")");
    }
    if let Some(id) = f.block_id {
        q.push(" AND a.id IN (SELECT agent_id FROM agent_blocks WHERE block_id = ").push_bind(id.0).push(")");
    }
    if let Some(id) = f.archive_id {
        q.push(" AND a.id IN (SELECT agent_id FROM agent_archives WHERE archive_id = ").push_bind(id.0).push(")");
    }
}
