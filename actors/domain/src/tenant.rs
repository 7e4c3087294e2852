//! For whom something is read or changed.

use uuid::Uuid;

use crate::{ApiKeyId, OrgId, Time, UserId};

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

    /// Whether rows of this organization are in the scope.
    pub fn covers(self, organization: OrgId) -> bool {
        self.organization().is_none_or(|own| own == organization)
    }
}

/// Whose agents and data are apart from those of all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrgId,
    /// Its name, for people.
    pub name: String,
    /// Kept for clients; nothing depends on it.
    pub privileged_tools: bool,
    /// When it was created.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

/// Somebody of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id, which requests name in the header `user_id`.
    pub id: UserId,
    /// To which organization it belongs.
    pub organization_id: OrgId,
    /// Its name, for people.
    pub name: String,
    /// Its time zone.
    pub timezone: String,
    /// When it was created.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

/// What a key allows. Each includes nothing of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyScope {
    /// To look.
    Read,
    /// To change things, and to send messages.
    Write,
    /// Users and keys of the organization.
    Admin,
}

impl KeyScope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The scope with this wire spelling.
    pub fn parse(s: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == s)
    }
}

/// What is known of an API key after it was shown once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id, by which it is revoked.
    pub id: ApiKeyId,
    /// Within which organization it works.
    pub organization_id: OrgId,
    /// As which user of the organization, if any.
    pub user_id: Option<UserId>,
    /// Its name, for people.
    pub name: String,
    /// How it begins.
    pub prefix: String,
    /// What it allows.
    pub scopes: Vec<KeyScope>,
    /// When it was created.
    pub created_at: Time,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
}
