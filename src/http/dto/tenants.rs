//! Organizations, users and API keys.

use engram_domain::{
    ApiKey, DEFAULT_ORGANIZATION, DEFAULT_USER, Json, KeyScope, OrgId, Organization, Scope, User, UserId,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::messages::letta::timestamp;
use crate::{app::keys::KeySpec, http::error::ApiError};

/// An organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Organization)]
pub struct OrganizationDto {
    id: String,
    name: String,
    created_at: String,
    privileged_tools: bool,
}

impl From<Organization> for OrganizationDto {
    fn from(o: Organization) -> Self {
        Self {
            id: o.id.to_string(),
            name: o.name,
            created_at: timestamp(o.created_at),
            privileged_tools: o.privileged_tools,
        }
    }
}

/// A new organization, or changes of one.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = OrganizationCreate)]
#[serde(default)]
pub struct OrganizationWrite {
    /// Its name.
    pub name: Option<String>,
    /// Kept and given back.
    pub privileged_tools: Option<bool>,
}

/// Which organization.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct OrganizationQuery {
    /// Its id.
    #[param(required = true)]
    pub org_id: String,
}

impl OrganizationQuery {
    /// The id.
    pub fn id(&self) -> Result<OrgId, ApiError> {
        org_id(&["query", "org_id"], &self.org_id)
    }
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserDto {
    id: String,
    organization_id: String,
    name: String,
    timezone: String,
    created_at: String,
    updated_at: String,
    is_deleted: bool,
}

impl From<User> for UserDto {
    fn from(u: User) -> Self {
        Self {
            id: u.id.to_string(),
            organization_id: u.organization_id.to_string(),
            name: u.name,
            timezone: u.timezone,
            created_at: timestamp(u.created_at),
            updated_at: timestamp(u.updated_at),
            is_deleted: false,
        }
    }
}

/// A new user.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UserCreate {
    /// Its name.
    pub name: String,
    /// To which organization it belongs.
    pub organization_id: String,
    /// Its time zone; `UTC` when absent.
    #[serde(default)]
    pub timezone: Option<String>,
}

impl UserCreate {
    /// The organization's id.
    pub fn organization(&self) -> Result<OrgId, ApiError> {
        org_id(&["body", "organization_id"], &self.organization_id)
    }
}

/// Changes of a user.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UserUpdate {
    /// Which user.
    pub id: String,
    /// Its new name.
    #[serde(default)]
    pub name: Option<String>,
}

/// Which user.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct UserQuery {
    /// Its id.
    #[param(required = true)]
    pub user_id: String,
}

/// What is known of an API key. The key itself was shown when it was created.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct ApiKeyDto {
    id: String,
    organization_id: String,
    /// As which user its requests act; `null` where as none.
    user_id: Option<String>,
    name: String,
    /// How the key begins.
    prefix: String,
    /// `read`, `write`, `admin`.
    scopes: Vec<&'static str>,
    created_at: String,
    revoked_at: Option<String>,
}

impl From<ApiKey> for ApiKeyDto {
    fn from(k: ApiKey) -> Self {
        Self {
            id: k.id.to_string(),
            organization_id: k.organization_id.to_string(),
            user_id: k.user_id.map(|user| user.to_string()),
            name: k.name,
            prefix: k.prefix,
            scopes: k.scopes.into_iter().map(KeyScope::as_str).collect(),
            created_at: timestamp(k.created_at),
            revoked_at: k.revoked_at.map(timestamp),
        }
    }
}

/// A key that was just created.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedApiKey)]
pub struct CreatedApiKeyDto {
    #[serde(flatten)]
    /// What is known of it from now on.
    pub about: ApiKeyDto,
    /// The key. It is shown this once.
    pub key: String,
}

/// A new API key.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ApiKeyCreate {
    /// Its name, for people.
    pub name: String,
    /// Some of `read`, `write`, `admin`; the first two when absent.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// Within which organization it works; the caller's when absent.
    #[serde(default)]
    pub organization_id: Option<String>,
    /// As which user of the organization its requests act; as none when absent, or of the default organization as the
    /// default user.
    #[serde(default)]
    pub user_id: Option<String>,
}

impl ApiKeyCreate {
    /// The key to be made.
    pub fn spec(self, caller: Scope) -> Result<KeySpec, ApiError> {
        let organization_id = self.organization(caller)?;
        let user_id = match &self.user_id {
            Some(id) => Some(user_id(&["body", "user_id"], id)?),
            None => (organization_id == DEFAULT_ORGANIZATION).then_some(DEFAULT_USER),
        };
        Ok(KeySpec { organization_id, user_id, scopes: self.scopes()?, name: self.name })
    }

    /// The organization's id.
    fn organization(&self, caller: Scope) -> Result<OrgId, ApiError> {
        match &self.organization_id {
            Some(id) => org_id(&["body", "organization_id"], id),
            None => Ok(caller.organization().unwrap_or(DEFAULT_ORGANIZATION)),
        }
    }

    /// What it allows, each scope once.
    fn scopes(&self) -> Result<Vec<KeyScope>, ApiError> {
        let Some(named) = &self.scopes else { return Ok(vec![KeyScope::Read, KeyScope::Write]) };
        let expected = "expected some of `read`, `write`, `admin`";
        if let Some(other) = named.iter().find(|s| KeyScope::parse(s).is_none()) {
            return Err(ApiError::invalid(&["body", "scopes"], expected, Json::from(other.as_str())));
        }
        if named.is_empty() {
            return Err(ApiError::invalid(&["body", "scopes"], expected, Json::Array(vec![])));
        }
        Ok(KeyScope::ALL.into_iter().filter(|scope| named.iter().any(|s| s == scope.as_str())).collect())
    }
}

fn org_id(loc: &[&str], id: &str) -> Result<OrgId, ApiError> {
    id.parse().map_err(|_| ApiError::invalid(loc, "expected the id of an organization", Json::from(id)))
}

/// The id of a user from a member of a request.
pub fn user_id(loc: &[&str], id: &str) -> Result<UserId, ApiError> {
    id.parse().map_err(|_| ApiError::invalid(loc, "expected the id of a user", Json::from(id)))
}
