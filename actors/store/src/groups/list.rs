//! Lists of groups.

use engram_domain::{AgentId, Group, ManagerType};
use sqlx::{Postgres, QueryBuilder};

use crate::{
    Page, Result, ScopedStore,
    error::db,
    keyset::{Key, push_equals},
    rows::{GroupRow, group_columns, group_tables},
};

const KEY: Key = Key { from: "groups g", column: "g.created_at", id: "g.id" };

/// Which groups are wanted. The default: all that are not hidden.
#[derive(Debug, Clone, Default)]
pub struct GroupFilter {
    /// Led like this.
    pub manager_type: Option<ManagerType>,
    /// With this project id.
    pub project_id: Option<String>,
    /// With this agent as a member or as the manager.
    pub agent_id: Option<AgentId>,
    /// The hidden ones too.
    pub show_hidden: bool,
}

impl ScopedStore {
    /// A page of groups.
    pub async fn groups(&self, filter: &GroupFilter, page: Page) -> Result<Vec<Group>> {
        let mut q = QueryBuilder::new(concat!("SELECT ", group_columns!(), " FROM ", group_tables!()));
        push_where(&mut q, filter);
        self.push_scope(&mut q, "g.organization_id");
        self.push_page(&mut q, KEY, page).await?;
        q.build_query_as::<GroupRow>()
            .fetch_all(&self.store.queries)
            .await
            .map_err(db)?
            .into_iter()
            .map(Group::try_from)
            .collect()
    }

    /// How many groups there are.
    pub async fn count_groups(&self, filter: &GroupFilter) -> Result<i64> {
        let mut q = QueryBuilder::new("SELECT count(*) FROM groups g");
        push_where(&mut q, filter);
        self.push_scope(&mut q, "g.organization_id");
        q.build_query_scalar().fetch_one(&self.store.queries).await.map_err(db)
    }
}

fn push_where(q: &mut QueryBuilder<Postgres>, f: &GroupFilter) {
    q.push(if f.show_hidden { " WHERE true" } else { " WHERE g.hidden IS NOT TRUE" });
    push_equals(q, "g.manager_type", f.manager_type.map(ManagerType::as_str));
    push_equals(q, "g.project_id", f.project_id.as_deref());
    if let Some(agent) = f.agent_id {
        // Not an OR: that would look at every group.
        q.push(" AND g.id IN (SELECT id FROM groups WHERE manager_agent_id = ").push_bind(agent.0);
        q.push(" UNION ALL SELECT group_id FROM group_agents WHERE agent_id = ").push_bind(agent.0).push(")");
    }
}
