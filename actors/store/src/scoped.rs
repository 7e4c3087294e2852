//! The store as one organization may use it.

use engram_domain::{OrgId, Scope};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::{Result, Store, StoreError, nodes::NodeRow};

/// A handle on the database that says for whom it reads and writes. What another organization has does not exist
/// for it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ScopedStore {
    /// Private to this crate: past it there are no scopes.
    pub(crate) store: Store,
    pub(crate) scope: Scope,
    /// Whether secrets are read as they are, or as [`HIDDEN`].
    pub(crate) shows_secrets: bool,
}

/// What stands for a secret that a caller may not see. Written, it leaves the secret as it is.
pub const HIDDEN: &str = "***";

impl Store {
    /// The store for the rows of a scope.
    pub fn scoped(&self, scope: Scope) -> ScopedStore {
        ScopedStore { store: self.clone(), scope, shows_secrets: true }
    }
}

impl ScopedStore {
    /// The same for a caller who may not see secrets.
    #[must_use]
    pub fn without_secrets(self) -> Self {
        Self { shows_secrets: false, ..self }
    }

    /// For whom.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// All processes that share the database: they belong to no organization.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn nodes(&self) -> Result<Vec<NodeRow>> {
        self.store.nodes().await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<()> {
        self.store.ping().await
    }

    /// The organization that a query compares with, or null for all of them: `x = coalesce($n, x)`.
    pub(crate) fn org(&self) -> Option<Uuid> {
        org(self.scope)
    }

    /// The organization that a new root row belongs to.
    pub(crate) fn owner(&self) -> Result<OrgId> {
        self.scope
            .organization()
            .ok_or_else(|| StoreError::Invalid("the system owns nothing: name an organization".into()))
    }

    /// Appends the condition that a column names the organization of this scope.
    pub(crate) fn push_scope(&self, q: &mut QueryBuilder<Postgres>, column: &str) {
        if let Some(org) = self.org() {
            q.push(format_args!(" AND {column} = ")).push_bind(org);
        }
    }

    /// Appends the condition that messages `m` lie in conversations of this scope.
    pub(crate) fn push_message_scope(&self, q: &mut QueryBuilder<Postgres>) {
        if let Some(org) = self.org() {
            q.push(" AND EXISTS (SELECT FROM conversations o WHERE o.id = m.conversation_id AND o.organization_id = ");
            q.push_bind(org).push(")");
        }
    }
}

/// What [`ScopedStore::org`] says, for functions that have the scope alone.
pub(crate) fn org(scope: Scope) -> Option<Uuid> {
    scope.organization().map(|id| id.0)
}
