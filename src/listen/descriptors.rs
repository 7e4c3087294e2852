//! How many files and sockets this process may have open.

/// Left for the database, model providers, other nodes and files.
const RESERVED: u64 = 256;

/// Raises the soft limit to the hard one. Many systems begin with 1,024 for the sake of programs that use `select`.
pub fn raise() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
    }
}

/// Descriptors that connections of clients may take.
pub(super) fn available() -> usize {
    let limit = soft_limit().unwrap_or(u64::MAX);
    usize::try_from(limit.saturating_sub(RESERVED).max(limit / 2)).unwrap_or(usize::MAX)
}

/// None when there is no limit.
#[cfg(unix)]
fn soft_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
fn soft_limit() -> Option<u64> {
    None
}
