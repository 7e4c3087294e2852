//! How long nobody works on a run whose owner was killed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    Failure,
    cluster::{Database, Node},
    load,
    model::Provider,
    report::{Report, Times},
    setting,
};

/// Two nodes; the one that drives a run dies while the model is being called.
pub async fn recovery(report: &mut Report) -> Result<(), Failure> {
    let http = load::client();
    let provider = Provider::start().await?;
    let database = Database::create().await?;
    let mut nodes = [
        Node::start(&database, &provider.environment()).await?,
        Node::start(&database, &provider.environment()).await?,
    ];
    let (mut progress, mut ends) = (Times::default(), Times::default());
    for n in 0..setting("BENCH_KILLS", 12) {
        let (owner, other) = (n % 2, (n + 1) % 2);
        let agent = load::create(&http, &nodes[owner].base, json!({"model": "openai/slow"})).await?;
        let text = format!("kill number {n}.");
        let url = format!("{}/agents/{agent}/messages/async", nodes[owner].base);
        let run: Value = http.post(url).json(&load::message(&text)).send().await?.error_for_status()?.json().await?;
        let run = run["id"].as_str().ok_or("no run")?;
        provider.called(&text, 1, Duration::from_secs(10)).await?;
        nodes[owner].kill()?;
        let killed = Instant::now();
        progress.push(provider.called(&text, 2, Duration::from_secs(30)).await? - killed);
        until_over(&http, &nodes[other].base, run).await?;
        ends.push(killed.elapsed());
        nodes[owner].start_again().await?;
        // Both heartbeats are old enough for the next round.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    report.times("owner killed, to the next model call", &progress, "2 nodes; the model takes 300 ms");
    report.times("owner killed, to the end of the run", &ends, "");
    drop(nodes);
    database.drop().await
}

/// Waits until a run is over.
pub async fn until_over(http: &reqwest::Client, base: &str, run: &str) -> Result<String, Failure> {
    let started = Instant::now();
    while started.elapsed() < Duration::from_mins(1) {
        let run: Value = http.get(format!("{base}/runs/{run}")).send().await?.error_for_status()?.json().await?;
        let status = run["status"].as_str().unwrap_or_default();
        if !matches!(status, "created" | "running") {
            return Ok(status.to_owned());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err(format!("run {run} does not end").into())
}
