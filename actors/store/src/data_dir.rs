//! The directory of the server's own files: for this user alone, and never somebody else's.
//!
//! What another program or person made keeps its mode: in a directory that exists already, the server uses a folder of
//! its own. One that it made has [`MARKER`] in it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
};

/// Says that the directory was made by this program. In a directory that existed, its folder has this name, too.
const MARKER: &str = "engram.made";
const FOLDER: &str = "engram";
/// What the embedded database locks. Directories of versions that had no marker have it.
pub(crate) const LOCK: &str = "engram.lock";

/// The directory for files of the server that was told to keep them in `dir`: that one where the server made it, else a
/// folder in it. It is made if need be.
///
/// # Errors
/// What the system says, and [`ErrorKind::PermissionDenied`] where there is a folder of that name that is not ours or
/// that others may look into.
pub fn private(dir: &Path) -> io::Result<PathBuf> {
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent)?;
    }
    if make(dir)? || is_ours(dir)? {
        return Ok(dir.to_owned());
    }
    let folder = dir.join(FOLDER);
    // Not through a link: in a directory that is open to everybody anybody may have put one there.
    if make(&folder)? || fs::symlink_metadata(&folder)?.is_dir() && is_ours(&folder)? {
        return Ok(folder);
    }
    let text = format!("{} exists and was not made by this server", folder.display());
    Err(io::Error::new(ErrorKind::PermissionDenied, text))
}

/// Makes a directory. False where there is something of this name.
fn make(dir: &Path) -> io::Result<bool> {
    match system::make_private(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error),
    }
    File::create(dir.join(MARKER))?;
    Ok(true)
}

/// Whether the server made it and it belongs to whoever runs the server. It is closed to others again then.
fn is_ours(dir: &Path) -> io::Result<bool> {
    if !system::belongs_to_me(dir)? {
        return Ok(false);
    }
    if dir.join(MARKER).is_file() {
        system::close(dir)?;
        return Ok(true);
    }
    if !dir.join(LOCK).is_file() {
        return Ok(false);
    }
    if system::is_open_to_others(dir)? {
        let text = format!("others may look into {}; close it with: chmod 700 {0}", dir.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, text));
    }
    Ok(true)
}

/// Makes a file that nobody else can read, with all of its content or not at all. False where there is one.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> io::Result<bool> {
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let written = (|| {
        let mut file = system::private_file(OpenOptions::new().write(true).create(true).truncate(true)).open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        // Unlike renaming, this does not replace what somebody else has put there meanwhile.
        fs::hard_link(&draft, path)
    })();
    let _ = fs::remove_file(&draft);
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
mod system {
    use std::{
        fs::{self, DirBuilder, OpenOptions, Permissions},
        io,
        os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
        path::Path,
    };

    pub fn make_private(dir: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(dir)
    }

    pub fn belongs_to_me(dir: &Path) -> io::Result<bool> {
        Ok(fs::metadata(dir)?.uid() == rustix::process::geteuid().as_raw())
    }

    pub fn is_open_to_others(dir: &Path) -> io::Result<bool> {
        Ok(fs::metadata(dir)?.mode() & 0o077 != 0)
    }

    pub fn close(dir: &Path) -> io::Result<()> {
        if is_open_to_others(dir)? { fs::set_permissions(dir, Permissions::from_mode(0o700)) } else { Ok(()) }
    }

    pub fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
        options.mode(0o600)
    }
}

/// Where directories have no modes, those of a user are closed to others by where they are.
#[cfg(not(unix))]
mod system {
    use std::{fs, fs::OpenOptions, io, path::Path};

    pub fn make_private(dir: &Path) -> io::Result<()> {
        fs::create_dir(dir)
    }

    #[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix, where it can fail")]
    pub fn belongs_to_me(_: &Path) -> io::Result<bool> {
        Ok(true)
    }

    #[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix, where it can fail")]
    pub fn is_open_to_others(_: &Path) -> io::Result<bool> {
        Ok(false)
    }

    #[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix, where it can fail")]
    pub fn close(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("engram-data-dir-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir(&dir).expect("a directory");
            Self(dir)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn mode(dir: &Path) -> u32 {
        fs::metadata(dir).expect("it is there").permissions().mode() & 0o7777
    }

    fn set(dir: &Path, mode: u32) {
        fs::set_permissions(dir, Permissions::from_mode(mode)).expect("it is ours");
    }

    #[test]
    fn what_existed_keeps_its_mode_and_gets_a_folder() {
        let scratch = Scratch::new("existing");
        set(&scratch.0, 0o1777);
        let folder = private(&scratch.0).expect("a folder");
        assert_eq!(folder, scratch.0.join(FOLDER));
        assert_eq!((mode(&scratch.0), mode(&folder)), (0o1777, 0o700));
        assert_eq!(private(&scratch.0).expect("the same"), folder);
        // A volume may have been mounted for a group.
        set(&folder, 0o770);
        assert_eq!(private(&scratch.0).expect("the same"), folder);
        assert_eq!(mode(&folder), 0o700);
    }

    #[test]
    fn what_it_makes_is_its_own() {
        let scratch = Scratch::new("new");
        let dir = scratch.0.join("a/b");
        assert_eq!(private(&dir).expect("a directory"), dir);
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(private(&dir).expect("the same"), dir);
    }

    #[test]
    fn a_directory_of_an_older_version_is_taken_as_it_is_or_refused() {
        let scratch = Scratch::new("older");
        fs::write(scratch.0.join(LOCK), "").expect("a file");
        set(&scratch.0, 0o755);
        assert!(private(&scratch.0).expect_err("open").to_string().contains("chmod 700"));
        assert_eq!(mode(&scratch.0), 0o755);
        set(&scratch.0, 0o700);
        assert_eq!(private(&scratch.0).expect("closed"), scratch.0);
    }

    #[test]
    fn a_folder_or_link_that_somebody_else_put_there_is_refused() {
        let scratch = Scratch::new("foreign");
        fs::create_dir(scratch.0.join(FOLDER)).expect("a folder");
        assert_eq!(private(&scratch.0).expect_err("foreign").kind(), ErrorKind::PermissionDenied);
        fs::remove_dir(scratch.0.join(FOLDER)).expect("it is empty");
        let elsewhere = Scratch::new("elsewhere");
        fs::write(elsewhere.0.join(MARKER), "").expect("a file");
        std::os::unix::fs::symlink(&elsewhere.0, scratch.0.join(FOLDER)).expect("a link");
        assert_eq!(private(&scratch.0).expect_err("a link").kind(), ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_file_is_written_once_and_for_nobody_else() {
        let scratch = Scratch::new("file");
        let path = scratch.0.join("secret.key");
        assert!(write_new(&path, b"first").expect("written"));
        assert!(!write_new(&path, b"second").expect("there"));
        assert_eq!((fs::read(&path).expect("a file").as_slice(), mode(&path)), (&b"first"[..], 0o600));
        assert_eq!(fs::read_dir(&scratch.0).expect("a directory").count(), 1);
    }
}
