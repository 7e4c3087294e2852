//! API keys. Asked for with every request that presents one: one query by a unique index, and no cache, so a key that
//! was revoked is refused by every node from that moment on.

use engram_domain::{ApiKey, ApiKeyId, KeyScope, OrgId, Time, UserId};
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use crate::{Page, Result, ScopedStore, Store, StoreError, error::db, json::corrupt, keyset::Key};

const KEY: Key = Key { from: "api_keys k", column: "k.created_at", id: "k.id" };

/// A key that is to be stored.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// What is shown of it.
    pub key: ApiKey,
    /// The SHA-256 of it.
    pub hash: [u8; 32],
}

/// What a key allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHolder {
    /// Within which organization.
    pub organization_id: OrgId,
    /// As which user.
    pub user_id: Option<UserId>,
    /// What.
    pub scopes: Vec<KeyScope>,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    organization_id: Uuid,
    user_id: Option<Uuid>,
    name: String,
    prefix: String,
    scopes: Vec<String>,
    created_at: Time,
    revoked_at: Option<Time>,
}

impl TryFrom<Row> for ApiKey {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            scopes: scopes(row.id, &row.scopes)?,
            id: ApiKeyId(row.id),
            organization_id: OrgId(row.organization_id),
            user_id: row.user_id.map(UserId),
            name: row.name,
            prefix: row.prefix,
            created_at: row.created_at,
            revoked_at: row.revoked_at,
        })
    }
}

fn scopes(id: Uuid, spelled: &[String]) -> Result<Vec<KeyScope>> {
    let parse =
        |s: &String| KeyScope::parse(s).ok_or_else(|| corrupt("api_keys", "scopes", id, format!("no such scope: {s}")));
    spelled.iter().map(parse).collect()
}

impl ScopedStore {
    /// The keys of the scope, those that were revoked too.
    pub async fn api_keys(&self, page: Page) -> Result<Vec<ApiKey>> {
        let mut q = QueryBuilder::new(
            "SELECT k.id, k.organization_id, k.user_id, k.name, k.prefix, k.scopes, k.created_at, k.revoked_at
             FROM api_keys k WHERE true",
        );
        self.push_scope(&mut q, "k.organization_id");
        self.push_page(&mut q, KEY, page).await?;
        let rows: Vec<Row> = q.build_query_as().fetch_all(&self.store.queries).await.map_err(db)?;
        rows.into_iter().map(ApiKey::try_from).collect()
    }

    /// Stores a key of an organization in the scope. [`StoreError::Invalid`] when there is no such organization, or its user
    /// is none of the organization's.
    pub async fn create_api_key(&self, new: &NewApiKey) -> Result<()> {
        let scopes: Vec<&str> = new.key.scopes.iter().map(|s| s.as_str()).collect();
        let done = sqlx::query(
            "INSERT INTO api_keys (id, organization_id, name, prefix, hash, scopes, created_at, user_id)
             SELECT $1, o.id, $3, $4, $5, $6, $7, $9 FROM organizations o
             WHERE o.id = $2 AND o.id = coalesce($8, o.id)
               AND ($9::uuid IS NULL OR EXISTS (SELECT FROM users u WHERE u.id = $9 AND u.organization_id = o.id))",
        )
        .bind(new.key.id.0)
        .bind(new.key.organization_id.0)
        .bind(&new.key.name)
        .bind(&new.key.prefix)
        .bind(new.hash.as_slice())
        .bind(scopes)
        .bind(new.key.created_at)
        .bind(self.org())
        .bind(new.key.user_id.map(|user| user.0))
        .execute(&self.store.queries)
        .await
        .map_err(db)?;
        if done.rows_affected() > 0 {
            Ok(())
        } else {
            Err(StoreError::Invalid("the organization does not exist, or the user is none of it".into()))
        }
    }

    /// Revokes a key: from now on nobody gets in with it. One that was revoked keeps its time. None when there is no
    /// such key in the scope.
    pub async fn revoke_api_key(&self, id: ApiKeyId, now: Time) -> Result<Option<ApiKey>> {
        let row: Option<Row> = sqlx::query_as(
            "UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2)
             WHERE id = $1 AND organization_id = coalesce($3, organization_id)
             RETURNING id, organization_id, user_id, name, prefix, scopes, created_at, revoked_at",
        )
        .bind(id.0)
        .bind(now)
        .bind(self.org())
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?;
        row.map(ApiKey::try_from).transpose()
    }
}

impl Store {
    /// What the key with this SHA-256 allows. None when there is no such key, or it was revoked.
    pub async fn key_holder(&self, hash: &[u8; 32]) -> Result<Option<KeyHolder>> {
        let row: Option<(Uuid, Uuid, Option<Uuid>, Vec<String>)> = sqlx::query_as(
            "SELECT id, organization_id, user_id, scopes FROM api_keys WHERE hash = $1 AND revoked_at IS NULL",
        )
        .bind(hash.as_slice())
        .fetch_optional(&self.pool)
        .await
        .map_err(db)?;
        let holder = |(id, organization, user, spelled): (Uuid, Uuid, Option<Uuid>, Vec<String>)| {
            let scopes = scopes(id, &spelled)?;
            Ok(KeyHolder { organization_id: OrgId(organization), user_id: user.map(UserId), scopes })
        };
        row.map(holder).transpose()
    }
}
