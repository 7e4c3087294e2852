//! The data directory: its lock, what an interrupted start left in it, and where the socket goes.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use super::EmbeddedError;
use crate::data_dir;

/// Bytes that a socket's path may have, with the closing zero (104 on macOS, 108 on Linux).
const SOCKET_PATH: usize = 104;

/// Finds or makes the directory for this user alone, and takes its lock.
pub(super) fn claim(data_dir: &Path) -> Result<(PathBuf, File), EmbeddedError> {
    let fail = |reason| EmbeddedError::Directory { path: data_dir.to_owned(), reason };
    let data_dir = data_dir::private(data_dir).map_err(fail)?;
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(data_dir.join(data_dir::LOCK))
        .map_err(fail)?;
    match lock.try_lock() {
        Ok(()) => Ok((data_dir, lock)),
        Err(TryLockError::WouldBlock) => Err(EmbeddedError::InUse(data_dir)),
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

/// Says that the first start in this data directory has not come to its end.
const UNFINISHED: &str = "postgres.unfinished";

/// Before the database is opened in `root`: what an interrupted first start has left there is of no use, and goes.
/// Nothing was acknowledged before that start was over.
pub(super) fn begin(data_dir: &Path, root: &Path) -> io::Result<()> {
    let unfinished = data_dir.join(UNFINISHED);
    if unfinished.exists() {
        if root.exists() {
            tracing::warn!("the first start was interrupted; beginning again");
            fs::remove_dir_all(root)?;
        }
    } else if !root.exists() {
        File::create(unfinished)?;
    }
    Ok(())
}

/// The database is open and its schema is there.
pub(super) fn finish(data_dir: &Path) -> io::Result<()> {
    match fs::remove_file(data_dir.join(UNFINISHED)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
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
        DirBuilder::new().mode(0o700).create(&path).map_err(fail)?;
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

    use super::{EmbeddedError, SocketDir, begin, claim, finish};

    #[test]
    fn a_data_directory_is_private_and_has_one_owner() {
        let dir = std::env::temp_dir().join(format!("engram-claim-{}", std::process::id()));
        let (place, lock) = claim(&dir).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(place, dir);
        let mode = std::fs::metadata(&dir).map(|m| m.permissions().mode() & 0o777);
        assert_eq!(mode.ok(), Some(0o700));
        let second = claim(&dir);
        assert!(matches!(second, Err(EmbeddedError::InUse(_))), "{second:?}");
        drop(lock);
        assert!(claim(&dir).is_ok());
        let _ = std::fs::remove_dir_all(dir);
    }

    #[test]
    fn what_an_interrupted_first_start_left_goes_and_nothing_else_does() {
        let dir = std::env::temp_dir().join(format!("engram-begin-{}", std::process::id()));
        let root = dir.join("postgres");
        let fill =
            || std::fs::create_dir_all(&root).and_then(|()| std::fs::write(root.join("x"), "x")).expect("a file");
        std::fs::create_dir_all(&dir).expect("a directory");
        begin(&dir, &root).expect("nothing is there");
        fill();
        begin(&dir, &root).expect("half of it is there");
        assert!(!root.exists());
        fill();
        finish(&dir).expect("the start is over");
        begin(&dir, &root).expect("it is whole");
        assert!(root.join("x").exists());
        finish(&dir).expect("twice is the same");
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
