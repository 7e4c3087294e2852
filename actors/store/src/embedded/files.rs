//! The data directory: its mode, its lock, and where the socket goes.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use super::EmbeddedError;

/// Bytes that a socket's path may have, with the closing zero (104 on macOS, 108 on Linux).
const SOCKET_PATH: usize = 104;

/// Creates the directory for this user alone and takes its lock.
pub(super) fn claim(data_dir: &Path) -> Result<File, EmbeddedError> {
    let fail = |reason| EmbeddedError::Directory { path: data_dir.to_owned(), reason };
    private_dir(data_dir, true).map_err(fail)?;
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(data_dir.join("engram.lock"))
        .map_err(fail)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(EmbeddedError::InUse(data_dir.to_owned())),
        Err(TryLockError::Error(reason)) => Err(fail(reason)),
    }
}

/// Removes the runtime's description of its own layout if a kill left it half-written: it is made anew
/// where it is missing, and a broken one would keep the database from ever starting again.
pub(super) fn drop_broken_manifest(root: &Path) {
    let path = root.join("tmp/pglite/.pglite-oxide-runtime-layout.json");
    let Ok(bytes) = fs::read(&path) else { return };
    if serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_err() {
        tracing::warn!("removing {}, which an interrupted start left half-written", path.display());
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!("it could not be removed: {error}");
        }
    }
}

fn private_dir(path: &Path, parents: bool) -> io::Result<()> {
    DirBuilder::new().recursive(parents).mode(0o700).create(path)?;
    // Also where it existed with another mode: the database asks for no password.
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// The directory that the socket is in.
#[derive(Debug)]
pub(super) struct SocketDir {
    path: PathBuf,
    temporary: bool,
}

impl SocketDir {
    /// The data directory, or a short one where its path is too long.
    pub fn choose(data_dir: &Path, port: u16) -> Result<Self, EmbeddedError> {
        let own = Self { path: data_dir.to_owned(), temporary: false };
        if own.file(port).as_os_str().as_bytes().len() < SOCKET_PATH {
            return Ok(own);
        }
        // Named after the process: whatever another one has left there is not in use any more.
        let base = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let path = base.join(format!("engram-{}", std::process::id()));
        let fail = |reason| EmbeddedError::Directory { path: path.clone(), reason };
        match fs::remove_dir_all(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fail(e)),
            _ => {}
        }
        // Not recursive: somebody else's directory of this name is an error, not a place to use.
        private_dir(&path, false).map_err(fail)?;
        Ok(Self { path, temporary: true })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The socket in it.
    pub fn file(&self, port: u16) -> PathBuf {
        self.path.join(format!(".s.PGSQL.{port}"))
    }

    /// Removes the socket, and the directory if it was made for it.
    pub fn remove(&self) {
        let _ = if self.temporary { fs::remove_dir_all(&self.path) } else { fs::remove_file(self.file(super::PORT)) };
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{EmbeddedError, SocketDir, claim};

    #[test]
    fn a_data_directory_is_private_and_has_one_owner() {
        let dir = std::env::temp_dir().join(format!("engram-claim-{}", std::process::id()));
        let lock = claim(&dir).unwrap_or_else(|e| panic!("{e}"));
        let mode = std::fs::metadata(&dir).map(|m| m.permissions().mode() & 0o777);
        assert_eq!(mode.ok(), Some(0o700));
        let second = claim(&dir);
        assert!(matches!(second, Err(EmbeddedError::InUse(_))), "{second:?}");
        drop(lock);
        assert!(claim(&dir).is_ok());
        let _ = std::fs::remove_dir_all(dir);
    }

    #[test]
    fn a_long_path_gets_a_short_socket() {
        let long = std::env::temp_dir().join("x".repeat(120));
        let socket = SocketDir::choose(&long, 5432).unwrap_or_else(|e| panic!("{e}"));
        assert!(socket.file(5432).as_os_str().len() < 104, "{:?}", socket.path());
        socket.remove();
        assert!(!socket.path().exists());
    }
}
