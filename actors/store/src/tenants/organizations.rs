//! Organizations.

use engram_core::ports::Ids;
use engram_domain::{DEFAULT_ORGANIZATION, OrgId, Organization, Scope, Time};
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use crate::{Page, Result, ScopedStore, StoreError, error::db, keyset::Key};

const KEY: Key = Key { from: "organizations o", column: "o.created_at", id: "o.id" };

#[derive(FromRow)]
struct Row {
    id: Uuid,
    name: String,
    privileged_tools: bool,
    created_at: Time,
    updated_at: Time,
}

impl From<Row> for Organization {
    fn from(row: Row) -> Self {
        Self {
            id: OrgId(row.id),
            name: row.name,
            privileged_tools: row.privileged_tools,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl ScopedStore {
    /// The organizations of the scope: all of them, or one.
    pub async fn organizations(&self, page: Page) -> Result<Vec<Organization>> {
        let mut q = QueryBuilder::new(
            "SELECT o.id, o.name, o.privileged_tools, o.created_at, o.updated_at FROM organizations o WHERE true",
        );
        self.push_scope(&mut q, "o.id");
        self.push_page(&mut q, KEY, page).await?;
        let rows: Vec<Row> = q.build_query_as().fetch_all(&self.store.queries).await.map_err(db)?;
        Ok(rows.into_iter().map(Organization::from).collect())
    }

    /// Changes an organization and returns it. None when there is no such one in the scope.
    pub async fn modify_organization(
        &self,
        id: OrgId,
        name: Option<&str>,
        privileged_tools: Option<bool>,
        now: Time,
    ) -> Result<Option<Organization>> {
        let row: Option<Row> = sqlx::query_as(
            "UPDATE organizations SET name = coalesce($3, name), privileged_tools = coalesce($4, privileged_tools),
                    updated_at = $5
             WHERE id = $1 AND id = coalesce($2, id) RETURNING id, name, privileged_tools, created_at, updated_at",
        )
        .bind(id.0)
        .bind(self.org())
        .bind(name)
        .bind(privileged_tools)
        .bind(now)
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?;
        Ok(row.map(Organization::from))
    }

    /// Creates an organization with its built-in tools.
    pub async fn create_organization(&self, new: &Organization, now: Time, ids: &dyn Ids) -> Result<()> {
        self.is_system()?;
        sqlx::query(
            "INSERT INTO organizations (id, name, privileged_tools, created_at, updated_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(new.id.0)
        .bind(&new.name)
        .bind(new.privileged_tools)
        .bind(new.created_at)
        .bind(new.updated_at)
        .execute(&self.store.queries)
        .await
        .map_err(db)?;
        self.store.scoped(Scope::Organization(new.id)).ensure_builtin_tools(now, ids).await?;
        Ok(())
    }

    /// Deletes an organization and everything that it owns. Returns what it was. [`StoreError::Conflict`] for the
    /// default one.
    pub async fn delete_organization(&self, id: OrgId) -> Result<Option<Organization>> {
        self.is_system()?;
        if id == DEFAULT_ORGANIZATION {
            return Err(StoreError::Conflict("the default organization cannot be deleted".into()));
        }
        let row: Option<Row> = sqlx::query_as(
            "DELETE FROM organizations WHERE id = $1 RETURNING id, name, privileged_tools, created_at, updated_at",
        )
        .bind(id.0)
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?;
        Ok(row.map(Organization::from))
    }

    /// An organization neither makes nor deletes organizations, not even itself.
    fn is_system(&self) -> Result<()> {
        if self.scope == Scope::System {
            return Ok(());
        }
        Err(StoreError::Invalid("only the system creates and deletes organizations".into()))
    }
}
