//! How long a cancel takes, whatever the agent is doing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    Failure,
    cluster::{Database, Node},
    load,
    model::Provider,
    recovery::until_over,
    report::{Report, Times},
    setting,
};

/// While the model is being called; while another run is; and through a node that is not the owner.
pub async fn cancel(report: &mut Report) -> Result<(), Failure> {
    let http = load::client();
    let provider = Provider::start().await?;
    let database = Database::create().await?;
    let owner = Node::start(&database, &provider.environment()).await?;
    let agent = load::create(&http, &owner.base, json!({"model": "openai/hang"})).await?;
    let bases = [("owner", owner.base.clone())];
    rounds(report, &http, &provider, &owner, &agent, &bases).await?;
    if setting("BENCH_NODES", 2) > 1 {
        let other = Node::start(&database, &provider.environment()).await?;
        rounds(report, &http, &provider, &owner, &agent, &[("other node", other.base.clone())]).await?;
    }
    drop(owner);
    database.drop().await
}

async fn rounds(
    report: &mut Report,
    http: &reqwest::Client,
    provider: &Provider,
    owner: &Node,
    agent: &str,
    through: &[(&str, String)],
) -> Result<(), Failure> {
    for (name, base) in through {
        let (mut called, mut queued) = (Times::default(), Times::default());
        for n in 0..setting("BENCH_CANCELS", 50) {
            let text = format!("cancel {n} through the {name}.");
            let first = start(http, &owner.base, agent, &text).await?;
            provider.called(&text, 1, Duration::from_secs(10)).await?;
            let second = start(http, &owner.base, agent, "and another one").await?;
            queued.push(end(http, base, agent, &second).await?);
            called.push(end(http, base, agent, &first).await?);
        }
        report.times(
            &format!("cancel of a model call, through the {name}"),
            &called,
            "to the answer; the run is over then",
        );
        report.times(
            &format!("cancel of a queued run, through the {name}"),
            &queued,
            "to the answer; the run is over then",
        );
    }
    Ok(())
}

async fn start(http: &reqwest::Client, base: &str, agent: &str, text: &str) -> Result<String, Failure> {
    let url = format!("{base}/agents/{agent}/messages/async");
    let run: Value = http.post(url).json(&load::message(text)).send().await?.error_for_status()?.json().await?;
    Ok(run["id"].as_str().ok_or("no run")?.to_owned())
}

async fn end(http: &reqwest::Client, base: &str, agent: &str, run: &str) -> Result<Duration, Failure> {
    let started = Instant::now();
    let url = format!("{base}/agents/{agent}/messages/cancel");
    let answer = http.post(url).json(&json!({"run_ids": [run]})).send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    let took = started.elapsed();
    if !status.is_success() {
        return Err(format!("cancel: {status} {text}").into());
    }
    match until_over(http, base, run).await?.as_str() {
        "cancelled" => Ok(took),
        other => Err(format!("a cancelled run is {other}").into()),
    }
}
