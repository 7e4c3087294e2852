//! Turns a second on one node and on two, the first byte of a stream, waking an old agent, long contexts.

use std::time::{Duration, Instant};

use futures::StreamExt;
use serde_json::{Value, json};

use crate::{
    Failure,
    cluster::{Database, Node},
    load,
    report::{Report, Times},
    setting,
};

fn lasting() -> Duration {
    Duration::from_secs(setting("BENCH_SECONDS", 8) as u64)
}

async fn warm(http: &reqwest::Client, base: &str, agents: usize, more: &Value) -> Result<Vec<String>, Failure> {
    let ids = load::create_many(http, base, agents, more).await?;
    for id in &ids {
        load::turn(http, base, id, 0).await?;
    }
    Ok(ids)
}

/// One node: 1, 16 and 64 agents.
pub async fn one_node(report: &mut Report) -> Result<(), Failure> {
    let http = load::client();
    let database = Database::create().await?;
    let node = Node::start(&database, &[]).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    report.number("idle memory", node.rss()?, "MiB", "of the process, two seconds after its start");
    for agents in [1, 16, 64] {
        let ids = warm(&http, &node.base, agents, &json!({})).await?;
        let before = (node.cpu(), database.cpu());
        let work = load::turns(&http, &ids, lasting(), |_, _| &node.base);
        let (turns, health) = load::with_health(&http, &node.base, work).await?;
        let each = |now: f64, before: f64| (now - before) * 1e3 / turns.count as f64;
        let cpu = (each(node.cpu(), before.0), each(database.cpu(), before.1));
        report.number(
            &format!("turns, 1 node, {agents} agents"),
            turns.rate,
            "turns/s",
            format!("{} turns; client {}; server's own {}", turns.count, turns.seen.words(), turns.own.words()),
        );
        report.number(
            &format!("processor time of it, {agents} agents"),
            cpu.0,
            "ms/turn",
            format!("and {:.2} of Postgres", cpu.1),
        );
        report.times(&format!("health beside {agents} agents"), &health, "");
    }
    first_byte(report, &http, &node.base).await?;
    drop(node);
    database.drop().await
}

/// Two nodes on one database: each turn goes to a node drawn by chance, or each agent keeps to one.
pub async fn two_nodes(report: &mut Report) -> Result<(), Failure> {
    let http = load::client();
    let database = Database::create().await?;
    let nodes = [Node::start(&database, &[]).await?, Node::start(&database, &[]).await?];
    let ids = load::create_many(&http, &nodes[0].base, 64, &json!({})).await?;
    for (i, id) in ids.iter().enumerate() {
        load::turn(&http, &nodes[i % 2].base, id, 0).await?;
    }
    let sticky = load::turns(&http, &ids, lasting(), |i, _| &nodes[i % 2].base).await?;
    let note = format!("64 agents; each keeps to its owner's node; client {}", sticky.seen.words());
    report.number("turns, 2 nodes, sticky clients", sticky.rate, "turns/s", note);
    let random = load::turns(&http, &ids, lasting(), |_, _| &nodes[usize::from(rand::random::<bool>())].base).await?;
    let note = format!("64 agents; half of the requests are forwarded; client {}", random.seen.words());
    report.number("turns, 2 nodes, random clients", random.rate, "turns/s", note);
    drop(nodes);
    database.drop().await
}

async fn first_byte(report: &mut Report, http: &reqwest::Client, base: &str) -> Result<(), Failure> {
    let agent = load::create(http, base, json!({})).await?;
    load::turn(http, base, &agent, 0).await?;
    let mut first = Times::default();
    for n in 0..60 {
        let body = json!({"stream_tokens": true, "messages": [{"role": "user", "content": format!("stream {n}")}]});
        let started = Instant::now();
        let answer = http.post(format!("{base}/agents/{agent}/messages/stream")).json(&body).send().await?;
        let mut bytes = answer.error_for_status()?.bytes_stream();
        bytes.next().await.ok_or("empty stream")??;
        first.push(started.elapsed());
        while bytes.next().await.is_some() {}
    }
    report.times("first byte of a stream", &first, "");
    Ok(())
}

fn past(messages: usize) -> Vec<Value> {
    let role = |i| if i % 2 == 0 { "user" } else { "assistant" };
    (0..messages)
        .map(|i| json!({"role": role(i), "content": format!("message {i} of the past, a sentence long")}))
        .collect()
}

/// What a turn costs by what is in context, one agent at a time.
pub async fn long_context(report: &mut Report) -> Result<(), Failure> {
    let http = load::client();
    let database = Database::create().await?;
    let node = Node::start(&database, &[]).await?;
    for messages in [10, 1_000, 3_000] {
        let more = json!({"context_window_limit": 128_000, "initial_message_sequence": past(messages)});
        let ids = warm(&http, &node.base, 1, &more).await?;
        let turns = load::turns(&http, &ids, lasting() / 2, |_, _| &node.base).await?;
        report.times(&format!("turn with {messages} messages in context"), &turns.own, "server's own, 1 agent");
    }
    drop(node);
    database.drop().await
}

/// An agent with a long history after the death of its process, and the start itself.
pub async fn waking(report: &mut Report) -> Result<(), Failure> {
    let http = load::client();
    let database = Database::create().await?;
    let mut node = Node::start(&database, &[]).await?;
    let history = setting("BENCH_HISTORY", 10_000);
    let more = json!({"context_window_limit": 16_000, "initial_message_sequence": past(history)});
    let agent = load::create(&http, &node.base, more).await?;
    // The first turn compacts what does not fit; from then on the agent is as one that grew old.
    load::turn(&http, &node.base, &agent, 0).await?;
    let (mut woken, mut starts) = (Times::default(), Times::default());
    for n in 0..5 {
        node.kill()?;
        starts.push(node.start_again().await?);
        // The server's first request of all pays for its first connections.
        let other = load::create(&http, &node.base, json!({})).await?;
        load::turn(&http, &node.base, &other, 0).await?;
        woken.push_ms(load::turn(&http, &node.base, &agent, n).await?.1);
    }
    report.times("waking an agent and answering", &woken, format!("{history} messages of history; server's own"));
    report.times("start after kill -9", &starts, "to the first health answer");
    drop(node);
    database.drop().await
}
