//! Secrets at rest: what a database holds of them is of no use without the key, which is kept elsewhere.
//!
//! There is one key for all of a database's secrets: `LETTA_ENCRYPTION_KEY`, or a file of this user in the data
//! directory, made with the first secret. The database keeps a fingerprint of it (`secret_key`), so a node with another
//! key says so when it starts, and cannot write what the others could not read.
//!
//! A secret is sealed with ChaCha20-Poly1305 under a random nonce, for its place: copied to another row it does not open.
//!
//! To add a secret: a text column that is written with [`Vault::sealer`] and read with [`Vault::open`], each with the same
//! place, and a line in the test that looks for plain text in the database (`tests/it/secrets.rs`).

use std::{
    fmt, fs,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use engram_domain::Secret;
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{SHA256, digest},
    rand::{SecureRandom as _, SystemRandom},
};
use sqlx::PgConnection;

use crate::{Result, Store, StoreError, data_dir, error::db};

/// How every sealed text begins.
const PREFIX: &str = "engram:1:";
/// The file in the data directory.
const FILE: &str = "secret.key";
/// Bytes of a key that is made.
const LENGTH: usize = 32;

/// What seals and opens secrets. Cheap to clone.
#[derive(Clone, Default)]
pub struct Vault(Arc<Inner>);

#[derive(Default)]
struct Inner {
    source: Source,
    key: OnceLock<Key>,
}

#[derive(Default)]
enum Source {
    /// No secret can be kept.
    #[default]
    None,
    Given(Secret),
    Directory(PathBuf),
}

struct Key {
    cipher: LessSafeKey,
    fingerprint: String,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

/// Why a secret cannot be sealed or opened, in words for whoever runs the server.
#[derive(Debug, Clone, thiserror::Error)]
pub enum VaultError {
    /// There is no key.
    #[error(
        "secrets are encrypted, and there is no key: set LETTA_ENCRYPTION_KEY, the same for all nodes, or ENGRAM_DATA_DIR to \
         a directory where one can be kept ({0})"
    )]
    NoKey(String),
    /// It is another key than the database's.
    #[error(
        "the secrets in this database are encrypted with another key: set LETTA_ENCRYPTION_KEY to it, or copy the file \
         secret.key from the data directory of the node that made it"
    )]
    OtherKey,
    /// The key opens nothing.
    #[error("it does not open: it was changed, or belongs elsewhere")]
    Broken,
}

impl From<VaultError> for StoreError {
    fn from(error: VaultError) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl Vault {
    /// With a key that was given, a text of any length.
    pub fn with_key(key: Secret) -> Self {
        Self(Arc::new(Inner { source: Source::Given(key), key: OnceLock::new() }))
    }

    /// With a key that is kept in this data directory, see [`data_dir::private`].
    pub fn in_directory(dir: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner { source: Source::Directory(dir.into()), key: OnceLock::new() }))
    }

    /// The key, if there is one. One is made if `make` says so and there is a place for it.
    fn key(&self, make: bool) -> std::result::Result<&Key, VaultError> {
        if let Some(key) = self.0.key.get() {
            return Ok(key);
        }
        let found = match &self.0.source {
            Source::None => return Err(VaultError::NoKey("none is set".into())),
            Source::Given(text) => Key::of(text.expose().as_bytes()),
            Source::Directory(dir) => Key::of(&read(dir, make).map_err(|e| VaultError::NoKey(e.to_string()))?),
        };
        Ok(self.0.key.get_or_init(|| found))
    }

    /// What seals secrets, once it is sure that the key is the database's. `conn` is that of the transaction that stores
    /// them.
    pub(crate) async fn sealer(&self, conn: &mut PgConnection) -> Result<Sealer<'_>> {
        let key = self.key(true)?;
        sqlx::query("INSERT INTO secret_key (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(&key.fingerprint)
            .execute(&mut *conn)
            .await
            .map_err(db)?;
        let known: String =
            sqlx::query_scalar("SELECT fingerprint FROM secret_key").fetch_one(conn).await.map_err(db)?;
        if known != key.fingerprint {
            return Err(VaultError::OtherKey.into());
        }
        Ok(Sealer(key))
    }

    /// Opens what was sealed for this place. What was stored before secrets were sealed is given as it is.
    pub(crate) fn open(&self, place: &str, stored: String) -> std::result::Result<String, VaultError> {
        match stored.strip_prefix(PREFIX) {
            Some(sealed) => self.key(false)?.open(place, sealed),
            None => Ok(stored),
        }
    }
}

/// The key of the database's secrets.
pub(crate) struct Sealer<'a>(&'a Key);

impl Sealer<'_> {
    /// Seals a text for a place, which is whatever names the row and the column.
    pub(crate) fn seal(&self, place: &str, text: &str) -> Result<String> {
        Ok(self.0.seal(place, text)?)
    }
}

impl Store {
    /// The same, with what seals and opens its secrets.
    ///
    /// # Errors
    /// [`VaultError`] when the database's secrets are sealed with another key, and those of the database.
    pub async fn with_vault(self, vault: Vault) -> Result<Self> {
        let known: Option<String> =
            sqlx::query_scalar("SELECT fingerprint FROM secret_key").fetch_optional(&self.pool).await.map_err(db)?;
        if let Some(known) = known
            && vault.key(false)?.fingerprint != known
        {
            return Err(VaultError::OtherKey.into());
        }
        Ok(Self { vault, ..self })
    }
}

impl Key {
    fn of(text: &[u8]) -> Self {
        let bytes = digest(&SHA256, text.trim_ascii());
        let cipher = UnboundKey::new(&CHACHA20_POLY1305, bytes.as_ref()).expect("it has the length of its digest");
        // The digest of what the key is made of would be the key.
        let fingerprint = digest(&SHA256, &[b"engram secret key ", bytes.as_ref()].concat());
        Self { cipher: LessSafeKey::new(cipher), fingerprint: STANDARD_NO_PAD.encode(&fingerprint.as_ref()[..16]) }
    }

    fn seal(&self, place: &str, text: &str) -> std::result::Result<String, VaultError> {
        let mut nonce = [0; NONCE_LEN];
        let random = SystemRandom::new().fill(&mut nonce);
        random.map_err(|_| VaultError::NoKey("the system gives no random numbers".into()))?;
        let mut sealed = text.as_bytes().to_vec();
        self.cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut sealed)
            .map_err(|_| VaultError::Broken)?;
        Ok(format!("{PREFIX}{}", STANDARD_NO_PAD.encode([&nonce[..], &sealed].concat())))
    }

    fn open(&self, place: &str, sealed: &str) -> std::result::Result<String, VaultError> {
        let mut bytes = STANDARD_NO_PAD.decode(sealed).map_err(|_| VaultError::Broken)?;
        let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_LEN>().ok_or(VaultError::Broken)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let text = self.cipher.open_in_place(nonce, Aad::from(place), sealed).map_err(|_| VaultError::Broken)?;
        String::from_utf8(text.to_vec()).map_err(|_| VaultError::Broken)
    }
}

/// The key in a data directory.
fn read(dir: &std::path::Path, make: bool) -> std::io::Result<Vec<u8>> {
    // Where there is no directory yet, looking for a key makes none.
    if !make && !dir.exists() {
        return Err(std::io::ErrorKind::NotFound.into());
    }
    let path = data_dir::private(dir)?.join(FILE);
    if make && !path.exists() {
        let mut bytes = [0; LENGTH];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| std::io::Error::other("the system gives no random numbers"))?;
        // Another process of this machine may be faster: then its key is the key.
        data_dir::write_new(&path, STANDARD_NO_PAD.encode(bytes).as_bytes())?;
    }
    fs::read(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_key_in_the_same_place_only() {
        let key = Key::of(b"a key\n");
        let sealed = key.seal("here", "hunter2").expect("sealed");
        assert!(sealed.starts_with(PREFIX) && !sealed.contains("hunter2"));
        assert_ne!(sealed, key.seal("here", "hunter2").expect("sealed"), "each time another nonce");
        let open =
            |key: &Key, place: &str, sealed: &str| key.open(place, sealed.strip_prefix(PREFIX).unwrap_or(sealed)).ok();
        assert_eq!(open(&Key::of(b"a key"), "here", &sealed).as_deref(), Some("hunter2"));
        assert_eq!(open(&key, "there", &sealed), None);
        assert_eq!(open(&Key::of(b"another"), "here", &sealed), None);
        for broken in ["", "x", "engram:1:", "engram:1:AAAA", &sealed[..sealed.len() - 4]] {
            assert_eq!(open(&key, "here", broken), None, "{broken}");
        }
        assert_eq!(key.open("here", &key.seal("here", "").expect("sealed")[PREFIX.len()..]).ok().as_deref(), Some(""));
    }

    #[test]
    fn a_key_is_made_once_when_it_is_needed() {
        let dir = std::env::temp_dir().join(format!("engram-vault-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        let vault = Vault::in_directory(&dir);
        assert!(vault.key(false).is_err() && !dir.exists());
        let made = vault.key(true).expect("made").fingerprint.clone();
        assert_eq!(Vault::in_directory(&dir).key(false).expect("found").fingerprint, made);
        assert_eq!(Vault::in_directory(&dir).key(true).expect("found").fingerprint, made);
        assert!(Vault::default().key(true).is_err());
        let _ = fs::remove_dir_all(dir);
    }
}
