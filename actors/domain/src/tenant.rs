//! For whom something is read or changed.

use uuid::Uuid;

use crate::{OrgId, UserId};

/// The organization of requests that name no other.
pub const DEFAULT_ORGANIZATION: OrgId = OrgId(Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0000));
/// The user of requests that name no other.
pub const DEFAULT_USER: UserId = UserId(Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0000));

/// Whose rows may be seen and changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Those of one organization.
    Organization(OrgId),
    /// All of them: background work, migrations, the command line.
    System,
}

impl Scope {
    /// The organization that a query must filter by; none for [`Scope::System`].
    pub fn organization(self) -> Option<OrgId> {
        match self {
            Self::Organization(id) => Some(id),
            Self::System => None,
        }
    }
}
