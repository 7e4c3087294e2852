//! A database of its own and the nodes that run on it.

use std::{
    env,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use crate::{Failure, load, machine};

/// The server to be measured: the one that was just built, or `ENGRAM_BIN`.
pub fn binary() -> String {
    env::var("ENGRAM_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_engram").into())
}

/// Databases made so far.
static MADE: AtomicUsize = AtomicUsize::new(0);

/// A database that is made for the measurement and dropped after it.
pub struct Database {
    admin: String,
    name: String,
    /// Where nodes find it.
    pub uri: String,
}

impl Database {
    /// A new one on the server that `ENGRAM_TEST_PG_URI` names.
    pub async fn create() -> Result<Self, Failure> {
        let admin = env::var("ENGRAM_TEST_PG_URI").map_err(|_| "set ENGRAM_TEST_PG_URI to a Postgres with pgvector")?;
        let name = format!("engram_bench_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        psql(&admin, &format!("CREATE DATABASE {name}")).await?;
        let uri = match admin.rsplit_once('/') {
            Some((server, _)) if server.contains("//") && !server.ends_with('/') => format!("{server}/{name}"),
            _ => format!("{}/{name}", admin.trim_end_matches('/')),
        };
        Ok(Self { admin, name, uri })
    }

    /// Processor time that its connections have taken so far, in seconds. 0 where Postgres runs elsewhere.
    pub fn cpu(&self) -> f64 {
        self.processes().map(|pid| cpu(&pid)).sum()
    }

    /// Memory of its connections' own, in MiB: what they share is not counted. 0 where Postgres runs elsewhere.
    pub fn memory(&self) -> f64 {
        self.processes().filter_map(|pid| machine::mib(&format!("/proc/{pid}/status"), "RssAnon:").ok()).sum()
    }

    fn processes(&self) -> impl Iterator<Item = String> {
        let ours = format!(" {} ", self.name);
        let mine = move |pid: &String| {
            pid.bytes().all(|b| b.is_ascii_digit())
                && std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
                    .is_ok_and(|title| title.starts_with("postgres:") && title.contains(&ours))
        };
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        all.filter_map(|p| p.file_name().into_string().ok()).filter(mine)
    }

    /// Drops it.
    pub async fn drop(self) -> Result<(), Failure> {
        psql(&self.admin, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await
    }
}

async fn psql(uri: &str, sql: &str) -> Result<(), Failure> {
    let done = tokio::process::Command::new("psql").args([uri, "-qc", sql]).status().await?;
    if done.success() { Ok(()) } else { Err(format!("psql failed: {sql}").into()) }
}

/// A server process. Killed when it is dropped.
pub struct Node {
    child: Child,
    uri: String,
    /// Kept over restarts: a process with the address of the one before it takes over at once.
    port: u16,
    more: Vec<(&'static str, String)>,
    /// Its API, up to `/v1`.
    pub base: String,
}

impl Node {
    /// Starts one on a free port and waits until it answers.
    pub async fn start(database: &Database, more: &[(&'static str, String)]) -> Result<Self, Failure> {
        let port = lasting_port()?;
        let base = format!("http://127.0.0.1:{port}/v1");
        let child = spawn(&database.uri, port, more)?;
        let mut node = Self { child, uri: database.uri.clone(), port, more: more.to_vec(), base };
        node.answers().await?;
        Ok(node)
    }

    /// Ends the process at once, as a power cut would.
    pub fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts a new process in the place of the one before. How long until it answers.
    pub async fn start_again(&mut self) -> Result<Duration, Failure> {
        let started = Instant::now();
        self.child = spawn(&self.uri, self.port, &self.more)?;
        self.answers().await?;
        Ok(started.elapsed())
    }

    /// Resident memory of the process, in MiB.
    pub fn rss(&self) -> Result<f64, Failure> {
        Ok(machine::mib(&format!("/proc/{}/status", self.child.id()), "VmRSS:")?)
    }

    /// Processor time that the process has taken so far, in seconds.
    pub fn cpu(&self) -> f64 {
        cpu(&self.child.id().to_string())
    }

    async fn answers(&mut self) -> Result<(), Failure> {
        let http = load::client();
        let started = Instant::now();
        while started.elapsed() < Duration::from_mins(1) {
            if http.get(format!("{}/health/", self.base)).send().await.is_ok_and(|r| r.status().is_success()) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended: {status}").into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Err("the server did not start".into())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.kill();
    }
}

/// A free port that no outgoing connection gets from the kernel: it has to be free again for a restart.
fn lasting_port() -> Result<u16, Failure> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")?;
    let lowest: u16 = range.split_whitespace().next().ok_or("no range of ports")?.parse()?;
    let first = lowest.saturating_sub(12_000).max(1_100);
    for _ in 0..400 {
        let port = if first < lowest { rand::random_range(first..lowest) } else { 0 };
        if let Ok(listener) = std::net::TcpListener::bind(("127.0.0.1", port)) {
            return Ok(listener.local_addr()?.port());
        }
    }
    Err("no free port".into())
}

/// User and system time of a process, in seconds; the kernel counts them in hundredths.
fn cpu(pid: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn spawn(uri: &str, port: u16, more: &[(&'static str, String)]) -> Result<Child, Failure> {
    let child = Command::new(binary())
        .args(["server", "--host", "127.0.0.1", "--port", &port.to_string()])
        .env("LETTA_PG_URI", uri)
        .env("ENGRAM_LOG", env::var("BENCH_LOG").unwrap_or_else(|_| "error".into()))
        .env("ENGRAM_NODE_URL", format!("http://127.0.0.1:{port}"))
        .envs(more.iter().map(|(name, value)| (*name, value)))
        .stdout(Stdio::null())
        .spawn()?;
    Ok(child)
}
