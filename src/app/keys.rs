//! API keys: making them, and what is kept of them.

use std::fmt::Write;

use engram_core::ports::Ids;
use engram_domain::{ApiKey, ApiKeyId, KeyScope, OrgId, UserId};
use engram_store::tenants::NewApiKey;
use sha2::{Digest, Sha256};

use crate::app::{App, Result};

/// How every API key begins.
pub const PREFIX: &str = "engram_";
/// Random characters of a key that are shown in lists.
const SHOWN: usize = 8;

/// A key to be made.
#[derive(Debug, Clone)]
pub struct KeySpec {
    /// Its name, for people.
    pub name: String,
    /// Within which organization it works.
    pub organization_id: OrgId,
    /// As which user of the organization.
    pub user_id: Option<UserId>,
    /// What it allows.
    pub scopes: Vec<KeyScope>,
}

/// Makes a key. The key itself is in this answer and nowhere else.
pub async fn create(app: &App, spec: KeySpec) -> Result<(ApiKey, String)> {
    let secret = secret(app.ids.as_ref());
    let key = ApiKey {
        id: ApiKeyId(app.ids.uuid()),
        organization_id: spec.organization_id,
        user_id: spec.user_id,
        scopes: spec.scopes,
        name: spec.name,
        prefix: secret.chars().take(PREFIX.len() + SHOWN).collect(),
        created_at: app.clock.now(),
        revoked_at: None,
    };
    app.tenants.create_api_key(&NewApiKey { key: key.clone(), hash: digest(secret.as_bytes()) }).await?;
    Ok((key, secret))
}

/// What a key is stored as.
pub fn digest(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// 256 random bits: the digest of three random ids, which have 366.
fn secret(ids: &dyn Ids) -> String {
    let seed: Vec<u8> = (0..3).flat_map(|_| ids.uuid().into_bytes()).collect();
    digest(&seed).iter().fold(PREFIX.to_owned(), |mut key, byte| {
        // Writing to a string cannot fail.
        let _ = write!(key, "{byte:02x}");
        key
    })
}
