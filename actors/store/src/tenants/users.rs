//! Users.

use engram_domain::{DEFAULT_USER, OrgId, Time, User, UserId};
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use crate::{Page, Result, ScopedStore, Store, StoreError, error::db, keyset::Key};

const KEY: Key = Key { from: "users u", column: "u.created_at", id: "u.id" };

#[derive(FromRow)]
struct Row {
    id: Uuid,
    organization_id: Uuid,
    name: String,
    timezone: String,
    created_at: Time,
    updated_at: Time,
}

impl From<Row> for User {
    fn from(row: Row) -> Self {
        Self {
            id: UserId(row.id),
            organization_id: OrgId(row.organization_id),
            name: row.name,
            timezone: row.timezone,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl ScopedStore {
    /// The users of the scope.
    pub async fn users(&self, page: Page) -> Result<Vec<User>> {
        let mut q = QueryBuilder::new(
            "SELECT u.id, u.organization_id, u.name, u.timezone, u.created_at, u.updated_at FROM users u WHERE true",
        );
        self.push_scope(&mut q, "u.organization_id");
        self.push_page(&mut q, KEY, page).await?;
        let rows: Vec<Row> = q.build_query_as().fetch_all(&self.store.queries).await.map_err(db)?;
        Ok(rows.into_iter().map(User::from).collect())
    }

    /// Creates a user of an organization in the scope. [`StoreError::Invalid`] when there is no such organization.
    pub async fn create_user(&self, user: &User) -> Result<()> {
        let done = sqlx::query(
            "INSERT INTO users (id, organization_id, name, timezone, created_at, updated_at)
             SELECT $1, o.id, $3, $4, $5, $6 FROM organizations o WHERE o.id = $2 AND o.id = coalesce($7, o.id)",
        )
        .bind(user.id.0)
        .bind(user.organization_id.0)
        .bind(&user.name)
        .bind(&user.timezone)
        .bind(user.created_at)
        .bind(user.updated_at)
        .bind(self.org())
        .execute(&self.store.queries)
        .await
        .map_err(db)?;
        if done.rows_affected() > 0 {
            Ok(())
        } else {
            Err(StoreError::Invalid("the organization does not exist".into()))
        }
    }

    /// Gives a user another name. None when there is no such one in the scope.
    pub async fn rename_user(&self, id: UserId, name: Option<&str>, now: Time) -> Result<Option<User>> {
        let row: Option<Row> = sqlx::query_as(
            "UPDATE users SET name = coalesce($2, name), updated_at = $3
             WHERE id = $1 AND organization_id = coalesce($4, organization_id)
             RETURNING id, organization_id, name, timezone, created_at, updated_at",
        )
        .bind(id.0)
        .bind(name)
        .bind(now)
        .bind(self.org())
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?;
        Ok(row.map(User::from))
    }

    /// Deletes a user; what it made stays with its organization. Returns what it was. [`StoreError::Conflict`] for the
    /// default one.
    pub async fn delete_user(&self, id: UserId) -> Result<Option<User>> {
        if id == DEFAULT_USER {
            return Err(StoreError::Conflict("the default user cannot be deleted".into()));
        }
        let row: Option<Row> = sqlx::query_as(
            "DELETE FROM users WHERE id = $1 AND organization_id = coalesce($2, organization_id)
             RETURNING id, organization_id, name, timezone, created_at, updated_at",
        )
        .bind(id.0)
        .bind(self.org())
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?;
        Ok(row.map(User::from))
    }
}

impl Store {
    /// To which organization a user belongs. None when there is no such user.
    pub async fn organization_of_user(&self, id: UserId) -> Result<Option<OrgId>> {
        let organization: Option<Uuid> = sqlx::query_scalar("SELECT organization_id FROM users WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&self.pool)
            .await
            .map_err(db)?;
        Ok(organization.map(OrgId))
    }
}
