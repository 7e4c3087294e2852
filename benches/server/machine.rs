//! What the machine has left, so that a measurement ends before the machine does.

use std::{
    fs, io,
    time::{Duration, Instant},
};

/// Memory below which a measurement ends with what it has, in MiB.
const FLOOR: f64 = 1_500.0;
/// Between two lines about the progress.
const EVERY: Duration = Duration::from_secs(10);

/// Memory that could be had without taking it from anybody, in MiB; infinite where the system does not tell.
pub fn available() -> f64 {
    mib("/proc/meminfo", "MemAvailable:").unwrap_or(f64::INFINITY)
}

/// Whether so little is left that going on would measure the lack of it.
pub fn is_short() -> bool {
    available() < FLOOR
}

/// Memory of this process, in MiB.
pub fn own() -> f64 {
    mib("/proc/self/status", "VmRSS:").unwrap_or(f64::NAN)
}

/// The number behind a name in a file of the kernel, from kB to MiB.
pub fn mib(file: &str, name: &str) -> io::Result<f64> {
    let text = fs::read_to_string(file)?;
    let number = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<f64>().ok());
    number.map(|kib| kib / 1024.0).ok_or_else(|| io::Error::other(format!("no {name} in {file}")))
}

/// Lets this process, and those that it starts from now on, open as many files and connections, where the system does.
pub fn may_open(count: usize) {
    let limit = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let now = limit.lines().find_map(|l| l.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok());
    if now.is_some_and(|now: usize| now >= count) {
        return;
    }
    let (pid, files) = (format!("--pid={}", std::process::id()), format!("--nofile={count}:"));
    let done = std::process::Command::new("prlimit").args([pid, files]).status();
    if !done.is_ok_and(|status| status.success()) {
        println!("  … this process may not open {count} files (`ulimit -n`): some connections will fail");
    }
}

/// A line now and then about something that takes long.
pub struct Progress(Instant);

impl Default for Progress {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Progress {
    /// Prints, if the last line is long enough ago.
    pub fn say(&mut self, line: impl FnOnce() -> String) {
        if self.0.elapsed() >= EVERY {
            self.0 = Instant::now();
            println!("  … {}", line());
        }
    }
}
