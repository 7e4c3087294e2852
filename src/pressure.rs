//! Whether memory is short: how much this process has, and how much it may have.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Above this part of the limit memory is short, in percent.
const SHORT: u64 = 85;
/// The part of a machine without another limit that this process takes for itself, in percent.
const MACHINE: u64 = 80;

/// The limit that this process lives under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressure {
    limit: Option<u64>,
}

impl Pressure {
    /// With a limit in bytes; without one, that of the container (cgroup), else a part of the machine's memory.
    /// Where the system tells neither, memory is never short.
    pub fn new(limit: Option<u64>) -> Self {
        Self { limit: limit.or_else(|| limit_below(Path::new("/"))) }
    }

    /// The limit in bytes.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Whether memory is short now.
    pub fn now(&self) -> bool {
        self.limit.zip(resident_bytes()).is_some_and(|(limit, used)| is_short(used, limit))
    }
}

fn is_short(used: u64, limit: u64) -> bool {
    u128::from(used) * 100 > u128::from(limit) * u128::from(SHORT)
}

/// Memory that this process has in use, in bytes. (`statm` would say it in pages, whose size only `libc` knows.)
pub fn resident_bytes() -> Option<u64> {
    kib_of(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// What the system under `root` allows.
fn limit_below(root: &Path) -> Option<u64> {
    let machine = kib_of(&fs::read_to_string(root.join("proc/meminfo")).ok()?, "MemTotal:")?;
    // A limit above the machine's memory is none: version 1 writes a huge number for it.
    Some(container_limit(root).filter(|limit| *limit <= machine).unwrap_or(machine / 100 * MACHINE))
}

/// The tightest limit among the control groups that this process is in.
fn container_limit(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let base = root.join("sys/fs/cgroup");
    let limits = groups.lines().filter_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let (base, file) = match controllers {
            "" => (base.clone(), "memory.max"),
            v1 if v1.split(',').any(|controller| controller == "memory") => {
                (base.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        tightest(&base, path, file)
    });
    limits.min()
}

/// The least number in `file` from a group up to the root of its tree. Inside a container the tree begins at the
/// container's own group, whatever path the process is told; then the root alone is there.
fn tightest(base: &Path, path: &str, file: &str) -> Option<u64> {
    let group: PathBuf = base.join(path.trim_start_matches('/'));
    let folders = group.ancestors().take_while(|folder| folder.starts_with(base));
    folders.filter_map(|folder| fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()).min()
}

/// The number behind a name, from kB to bytes.
fn kib_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system in a folder of its own.
    struct Fake(PathBuf);

    impl Fake {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("engram-pressure-{}-{name}", std::process::id()));
            for (path, text) in files {
                let path = root.join(path);
                fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the folder can be made");
                fs::write(path, text).expect("the file can be written");
            }
            Self(root)
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:        1000 kB\nMemFree: 1 kB\n");

    #[test]
    fn the_tightest_group_counts() {
        let fake = Fake::new(
            "v2",
            &[
                MEMINFO,
                ("proc/self/cgroup", "0::/pod/box\n"),
                ("sys/fs/cgroup/pod/memory.max", "400000\n"),
                ("sys/fs/cgroup/pod/box/memory.max", "max\n"),
            ],
        );
        assert_eq!(limit_below(&fake.0), Some(400_000));
    }

    #[test]
    fn in_a_container_the_root_is_the_group() {
        let fake = Fake::new(
            "inside",
            &[MEMINFO, ("proc/self/cgroup", "0::/../box\n"), ("sys/fs/cgroup/memory.max", "300000\n")],
        );
        assert_eq!(limit_below(&fake.0), Some(300_000));
        let fake = Fake::new(
            "v1",
            &[
                MEMINFO,
                ("proc/self/cgroup", "5:cpu:/docker/x\n4:memory:/docker/x\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "200000\n"),
            ],
        );
        assert_eq!(limit_below(&fake.0), Some(200_000));
    }

    #[test]
    fn without_a_limit_it_is_a_part_of_the_machine() {
        let unlimited = [
            MEMINFO,
            ("proc/self/cgroup", "4:memory:/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        assert_eq!(limit_below(&Fake::new("none", &[MEMINFO]).0), Some(1000 * 1024 / 100 * 80));
        assert_eq!(limit_below(&Fake::new("huge", &unlimited).0), Some(1000 * 1024 / 100 * 80));
        assert_eq!(limit_below(&Fake::new("nothing", &[]).0), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_measured() {
        let used = resident_bytes().expect("the system says");
        assert!(used > 1024 * 1024, "{used}");
        assert!(Pressure::new(Some(used / 2)).now());
        assert!(!Pressure::new(Some(used.saturating_mul(1000))).now());
        assert!(is_short(86, 100) && !is_short(85, 100));
    }
}
