//! Tools: the catalogue that comes with the server, and lists.

use engram_core::{builtin, ports::Ids};
use engram_domain::{AgentId, JsonMap, OrgId, Scope, Time, Tool, ToolId, ToolKind};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::{
    Page, Result, ScopedStore, Store,
    error::db,
    json::AsJson,
    keyset::{Key, push_contains, push_equals},
    rows::{ToolRow, tool_columns},
    weight::{self, Weight},
};

const KEY: Key = Key { from: "tools t", column: "t.created_at", id: "t.id" };

/// Which tools are wanted. The default: all.
#[derive(Debug, Clone, Default)]
pub struct ToolFilter {
    /// With exactly this name.
    pub name: Option<String>,
    /// With one of these names; any when absent.
    pub names: Option<Vec<String>>,
    /// Among these ids; any when absent.
    pub ids: Option<Vec<ToolId>>,
    /// With these words in name or description.
    pub search: Option<String>,
    /// Of one of these kinds; any when absent. Unknown kinds match nothing.
    pub kinds: Option<Vec<String>>,
    /// Of none of these kinds.
    pub exclude_kinds: Vec<String>,
    /// With one of these tags; any when empty.
    pub tags: Vec<String>,
    /// Only those that come with the server (true), or only the others (false).
    pub own: Option<bool>,
    /// Attached to this agent.
    pub agent_id: Option<AgentId>,
}

/// Changes of a tool that leave what it does alone; `None` leaves a member as it is.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "every member is the member of `Tool` of the same name")]
pub struct ToolPatch {
    pub tags: Option<Vec<String>>,
    pub return_char_limit: Option<i32>,
    pub default_requires_approval: Option<bool>,
    pub enable_parallel_execution: Option<bool>,
    pub metadata: Option<JsonMap>,
}

impl ScopedStore {
    /// Brings the catalogue of built-in tools into the organization and returns it. Tools that are there
    /// keep their ids and what a user set (tags, limits, approval); their schemas follow the server.
    pub async fn ensure_builtin_tools(&self, now: Time, ids: &dyn Ids) -> Result<Vec<Tool>> {
        let owner = self.owner()?;
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        for tool in builtin::all() {
            let tool = tool.to_tool(ToolId(ids.uuid()), now);
            sqlx::query(
                "INSERT INTO tools (id, name, kind, effect, description, source_type, json_schema, tags, \
                 return_char_limit, enable_parallel_execution, created_at, updated_at, organization_id) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12) \
                 ON CONFLICT (organization_id, name) DO UPDATE SET kind = EXCLUDED.kind, effect = EXCLUDED.effect, \
                 description = EXCLUDED.description, json_schema = EXCLUDED.json_schema, \
                 updated_at = EXCLUDED.updated_at \
                 WHERE tools.kind <> 'custom' \
                 AND (tools.kind, tools.effect, tools.description, tools.json_schema::text) IS DISTINCT FROM \
                 (EXCLUDED.kind, EXCLUDED.effect, EXCLUDED.description, EXCLUDED.json_schema::text)",
            )
            .bind(tool.id.0)
            .bind(&tool.name)
            .bind(tool.kind.as_str())
            .bind(tool.effect.as_str())
            .bind(&tool.description)
            .bind(&tool.source_type)
            .bind(AsJson(&tool.json_schema))
            .bind(&tool.tags)
            .bind(tool.return_char_limit)
            .bind(tool.enable_parallel_execution)
            .bind(now)
            .bind(owner.0)
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        }
        tx.commit().await.map_err(db)?;
        let names: Vec<String> = builtin::all().iter().map(|t| t.name.to_owned()).collect();
        self.tools_by_name(&names).await
    }

    /// A tool.
    pub async fn tool(&self, id: ToolId) -> Result<Option<Tool>> {
        Ok(self.tools_by_id(&[id]).await?.pop())
    }

    /// The tools among these that exist, in no particular order.
    pub async fn tools_by_id(&self, ids: &[ToolId]) -> Result<Vec<Tool>> {
        let filter = ToolFilter { ids: Some(ids.to_vec()), ..ToolFilter::default() };
        self.tools(&filter, Page::oldest(i64::MAX)).await
    }

    /// The tools with these names that exist, oldest first.
    pub async fn tools_by_name(&self, names: &[String]) -> Result<Vec<Tool>> {
        let filter = ToolFilter { names: Some(names.to_vec()), ..ToolFilter::default() };
        self.tools(&filter, Page::oldest(i64::MAX)).await
    }

    /// A page of tools.
    pub async fn tools(&self, filter: &ToolFilter, page: Page) -> Result<Vec<Tool>> {
        let mut q = weight::TOOL.open(page, concat!("SELECT ", tool_columns!(), " FROM tools t"));
        push_where(&mut q, filter);
        self.push_scope(&mut q, "t.organization_id");
        self.push_page(&mut q, KEY, page).await?;
        Weight::close(page, &mut q);
        q.build_query_as::<ToolRow>()
            .fetch_all(&self.store.queries)
            .await
            .map_err(db)?
            .into_iter()
            .map(Tool::try_from)
            .collect()
    }

    /// How many tools there are.
    pub async fn count_tools(&self, filter: &ToolFilter) -> Result<i64> {
        let mut q = QueryBuilder::new("SELECT count(*) FROM tools t");
        push_where(&mut q, filter);
        self.push_scope(&mut q, "t.organization_id");
        q.build_query_scalar().fetch_one(&self.store.queries).await.map_err(db)
    }

    /// Changes a tool and returns it.
    pub async fn modify_tool(&self, id: ToolId, patch: &ToolPatch, now: Time) -> Result<Option<Tool>> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        let done = sqlx::query(
            "UPDATE tools SET tags = COALESCE($2, tags), return_char_limit = COALESCE($3, return_char_limit), \
             default_requires_approval = COALESCE($4, default_requires_approval), \
             enable_parallel_execution = COALESCE($5, enable_parallel_execution), \
             metadata = COALESCE($6, metadata), updated_at = $7 \
             WHERE id = $1 AND organization_id = coalesce($8, organization_id)",
        )
        .bind(id.0)
        .bind(&patch.tags)
        .bind(patch.return_char_limit)
        .bind(patch.default_requires_approval)
        .bind(patch.enable_parallel_execution)
        .bind(patch.metadata.as_ref().map(AsJson))
        .bind(now)
        .bind(self.org())
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        if done.rows_affected() == 0 {
            return Ok(None);
        }
        bump_owners(&mut tx, id).await?;
        tx.commit().await.map_err(db)?;
        self.tool(id).await
    }

    /// Deletes a tool and takes it from every agent that has it. False when there is no such tool.
    pub async fn delete_tool(&self, id: ToolId) -> Result<bool> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        bump_owners(&mut tx, id).await?;
        let done = sqlx::query("DELETE FROM tools WHERE id = $1 AND organization_id = coalesce($2, organization_id)")
            .bind(id.0)
            .bind(self.org())
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        tx.commit().await.map_err(db)?;
        Ok(true)
    }
}

impl Store {
    /// Brings the catalogue of built-in tools into every organization.
    pub async fn ensure_builtin_tools(&self, now: Time, ids: &dyn Ids) -> Result<()> {
        let organizations: Vec<Uuid> =
            sqlx::query_scalar("SELECT id FROM organizations").fetch_all(&self.pool).await.map_err(db)?;
        for organization in organizations {
            self.scoped(Scope::Organization(OrgId(organization))).ensure_builtin_tools(now, ids).await?;
        }
        Ok(())
    }
}

async fn bump_owners(conn: &mut sqlx::PgConnection, tool: ToolId) -> Result<()> {
    let owners: Vec<Uuid> = sqlx::query_scalar("SELECT agent_id FROM agent_tools WHERE tool_id = $1")
        .bind(tool.0)
        .fetch_all(&mut *conn)
        .await
        .map_err(db)?;
    crate::agents::bump(conn, &owners).await
}

fn push_where(q: &mut QueryBuilder<Postgres>, f: &ToolFilter) {
    q.push(" WHERE true");
    push_equals(q, "t.name", f.name.as_deref());
    if let Some(names) = &f.names {
        q.push(" AND t.name = ANY (").push_bind(names.clone()).push(")");
    }
    if let Some(ids) = &f.ids {
        let ids: Vec<Uuid> = ids.iter().map(|t| t.0).collect();
        q.push(" AND t.id = ANY (").push_bind(ids).push(")");
    }
    push_contains(q, "t.name || ' ' || COALESCE(t.description, '')", f.search.as_deref());
    if let Some(kinds) = &f.kinds {
        q.push(" AND t.kind = ANY (").push_bind(kinds.clone()).push(")");
    }
    if !f.exclude_kinds.is_empty() {
        q.push(" AND t.kind <> ALL (").push_bind(f.exclude_kinds.clone()).push(")");
    }
    crate::keyset::push_tags(q, "t.tags", &f.tags, false);
    if let Some(own) = f.own {
        let kinds = ToolKind::ALL.iter().filter(|kind| kind.comes_with_server() == own);
        let kinds: Vec<&str> = kinds.map(|kind| kind.as_str()).collect();
        q.push(" AND t.kind = ANY (").push_bind(kinds).push(")");
    }
    if let Some(agent) = f.agent_id {
        q.push(" AND t.id IN (SELECT tool_id FROM agent_tools WHERE agent_id = ").push_bind(agent.0).push(")");
    }
}
