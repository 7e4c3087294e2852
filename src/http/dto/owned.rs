//! Whose the rows of an answer are.

use engram_domain::{DEFAULT_ORGANIZATION, OrgId, UserId};

use crate::app::App;

/// The organization whose rows are shown, and the user whom they are said to come from. A request sees the rows of one
/// organization alone. Rows do not keep who made them: it is taken to be the user that the request acts as, which is
/// nobody for a key without a user.
#[derive(Debug, Clone, Copy)]
pub struct OwnedBy {
    organization: OrgId,
    user: Option<UserId>,
}

impl OwnedBy {
    /// What a request shows.
    pub fn of(app: &App) -> Self {
        Self { organization: app.scope.organization().unwrap_or(DEFAULT_ORGANIZATION), user: app.user }
    }

    /// `organization_id`.
    pub fn organization(self) -> String {
        self.organization.to_string()
    }

    /// `created_by_id`, `last_updated_by_id`.
    pub fn user(self) -> Option<String> {
        self.user.map(|user| user.to_string())
    }
}

#[cfg(test)]
impl OwnedBy {
    /// The default organization and its user.
    pub const DEFAULT: Self = Self { organization: DEFAULT_ORGANIZATION, user: Some(engram_domain::DEFAULT_USER) };
}
