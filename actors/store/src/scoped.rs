//! The store as one organization may use it.

use std::ops::Deref;

use engram_domain::Scope;

use crate::Store;

/// A handle on the database that says for whom it reads and writes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ScopedStore {
    pub(crate) store: Store,
    pub(crate) scope: Scope,
}

impl ScopedStore {
    /// For whom.
    pub fn scope(&self) -> Scope {
        self.scope
    }
}

impl Store {
    /// The store for the rows of a scope.
    pub fn scoped(&self, scope: Scope) -> ScopedStore {
        ScopedStore { store: self.clone(), scope }
    }
}

impl Deref for ScopedStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}
