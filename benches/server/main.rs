//! The whole server under load: `cargo bench --bench server`, or `… -- turns cancel` for some of it.
//!
//! Load: a release build of the server as processes of their own (`ENGRAM_BIN` names another build), a real
//! Postgres (`ENGRAM_TEST_PG_URI`; every case makes a database and drops it), the built-in scripted model (0 ms)
//! unless `BENCH_MODEL` names another, agents with human and persona blocks, messages of eight words, one HTTP
//! connection an agent, closed loop: an agent's next message is sent when its last one is answered. Servers,
//! Postgres and this generator share the machine.
//!
//! What can be set: `BENCH_SECONDS` (of each measurement, 8), `BENCH_LIVE` (live agents, 10000), `BENCH_LIVE_SECONDS`
//! (until that measurement ends with what it has, 540), `BENCH_STREAMS` (1000), `BENCH_WORKERS` (of a broadcast, 100),
//! `BENCH_KILLS` (12), `BENCH_CANCELS` (50), `BENCH_HISTORY` (messages of the agent that is woken, 10000), `BENCH_NODES`
//! (1 for a build that knows no others), `BENCH_JSON` (a file for the numbers).
//!
//! To add a case: a file with a function that makes its database and nodes and puts numbers into the report, and
//! its line in [`main`].

mod cancel;
mod cluster;
mod database;
mod herd;
mod hostile;
mod live;
mod load;
mod machine;
mod model;
mod recovery;
mod report;
mod streams;
mod throughput;
mod together;

use std::env;

use serde_json::json;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A number that the environment sets.
pub fn setting(name: &str, default: usize) -> usize {
    env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    // cargo passes options of its own.
    let wanted: Vec<String> = env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wants = |case: &str| wanted.is_empty() || wanted.iter().any(|w| w == case);
    let several = setting("BENCH_NODES", 2) > 1;
    let mut report = report::Report::default();
    let about = json!({
        "binary": cluster::binary(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "model": load::scripted(),
    });
    println!("{about}");
    if wants("turns") {
        throughput::one_node(&mut report).await?;
    }
    if wants("nodes") && several {
        throughput::two_nodes(&mut report).await?;
    }
    if wants("sql") {
        database::share(&mut report).await?;
    }
    if wants("context") {
        throughput::long_context(&mut report).await?;
    }
    if wants("waking") {
        throughput::waking(&mut report).await?;
    }
    if wants("recovery") && several {
        recovery::recovery(&mut report).await?;
    }
    if wants("cancel") {
        cancel::cancel(&mut report).await?;
    }
    if wants("together") {
        together::together(&mut report).await?;
    }
    if wants("streams") {
        streams::streams(&mut report).await?;
    }
    if wants("hostile") {
        hostile::hostile(&mut report).await?;
    }
    if wants("live") {
        live::live(&mut report).await?;
    }
    let numbers = serde_json::to_string_pretty(&report.json(&about))?;
    match env::var("BENCH_JSON") {
        Ok(file) => std::fs::write(file, numbers)?,
        Err(_) => println!("{numbers}"),
    }
    Ok(())
}
