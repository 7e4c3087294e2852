//! API keys: making them, and what is kept of them.

use std::fmt::Write;

use engram_core::ports::Ids;
use engram_domain::{ApiKey, ApiKeyId, KeyScope, OrgId, UserId};
use engram_store::tenants::NewApiKey;
use sha2::{Digest, Sha256};

use crate::app::{App, Result};

/// How every API key begins.
pub const PREFIX: &str = "engram_";
/// Hexadecimal digits that follow.
const DIGITS: usize = 64;
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

/// Whether a text has the shape of a key, so that the database need not be asked about anything else.
pub fn has_shape(text: &[u8]) -> bool {
    let digits = text.strip_prefix(PREFIX.as_bytes());
    digits.is_some_and(|digits| digits.len() == DIGITS && digits.iter().all(u8::is_ascii_hexdigit))
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(std::sync::atomic::AtomicU64);

    impl Ids for Counting {
        fn uuid(&self) -> uuid::Uuid {
            uuid::Uuid::from_u64_pair(0, self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst))
        }
    }

    #[test]
    fn only_what_looks_like_a_key_is_looked_up() {
        let ids = Counting(0.into());
        let (one, two) = (secret(&ids), secret(&ids));
        assert!(has_shape(one.as_bytes()) && has_shape(two.as_bytes()) && one != two);
        assert!(!has_shape(&one.as_bytes()[1..]) && !has_shape(&one.as_bytes()[..70]));
        assert!(!has_shape(b"engram_") && !has_shape(b"") && !has_shape(format!("{one}0").as_bytes()));
        assert!(!has_shape(format!("{PREFIX}{}", "g".repeat(DIGITS)).as_bytes()));
    }
}
