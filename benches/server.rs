//! The whole server under load: `cargo bench --bench server`.
//!
//! Load: a release build of the server as a process of its own, a real Postgres (`ENGRAM_TEST_PG_URI`,
//! a database is made and dropped), the built-in scripted model (0 ms) unless `BENCH_MODEL` names
//! another, agents with human and persona blocks, messages of eight words, one HTTP connection an
//! agent, closed loop: an agent's next message is sent when its last one is answered. Server, Postgres
//! and this generator share the machine.
//!
//! `BENCH_TURNS` (turns an agent, 40), `BENCH_LIVE` (idle live agents, 10000), `BENCH_HISTORY`
//! (messages of the agent that is woken, 10000).

use std::{
    env,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn setting(name: &str, default: usize) -> usize {
    env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

struct Server {
    child: Child,
    base: String,
    /// Kept over restarts: a process with the address of the one before it takes over at once.
    port: u16,
    database: String,
    admin: String,
    uri: String,
}

impl Server {
    async fn start() -> Result<Self, Failure> {
        let admin = env::var("ENGRAM_TEST_PG_URI").map_err(|_| "set ENGRAM_TEST_PG_URI to a Postgres with pgvector")?;
        let database = format!("engram_bench_{}", std::process::id());
        psql(&admin, &format!("CREATE DATABASE {database}")).await?;
        let uri = with_database(&admin, &database);
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (child, base, _) = spawn(&uri, port).await?;
        Ok(Self { child, base, port, database, admin, uri })
    }

    /// Kills the process and starts another one on the same data. How long until it answers.
    async fn restart(&mut self) -> Result<Duration, Failure> {
        self.child.kill()?;
        self.child.wait()?;
        let (child, base, took) = spawn(&self.uri, self.port).await?;
        self.child = child;
        self.base = base;
        Ok(took)
    }

    async fn stop(mut self) -> Result<(), Failure> {
        self.child.kill()?;
        self.child.wait()?;
        psql(&self.admin, &format!("DROP DATABASE {} WITH (FORCE)", self.database)).await
    }

    /// Resident memory of the process, in MiB.
    fn rss(&self) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|l| l.starts_with("VmRSS")).ok_or("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
        Ok(kib / 1024.0)
    }
}

async fn spawn(uri: &str, port: u16) -> Result<(Child, String, Duration), Failure> {
    let started = Instant::now();
    let child = Command::new(env!("CARGO_BIN_EXE_engram"))
        .args(["server", "--port", &port.to_string()])
        .env("LETTA_PG_URI", uri)
        .env("ENGRAM_LOG", "warn")
        .stdout(Stdio::null())
        .spawn()?;
    let base = format!("http://127.0.0.1:{port}/v1");
    let http = client();
    while started.elapsed() < Duration::from_mins(1) {
        if http.get(format!("{base}/health/")).send().await.is_ok_and(|r| r.status().is_success()) {
            return Ok((child, base, started.elapsed()));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Err("the server did not start".into())
}

async fn psql(uri: &str, sql: &str) -> Result<(), Failure> {
    let done = tokio::process::Command::new("psql").args([uri, "-qc", sql]).status().await?;
    if done.success() { Ok(()) } else { Err(format!("psql failed: {sql}").into()) }
}

fn with_database(uri: &str, database: &str) -> String {
    match uri.rsplit_once('/') {
        Some((server, _)) if server.contains("//") && !server.ends_with('/') => format!("{server}/{database}"),
        _ => format!("{}/{database}", uri.trim_end_matches('/')),
    }
}

#[expect(clippy::expect_used, reason = "a benchmark without a client is none")]
fn client() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(128).no_proxy().build().expect("a client")
}

async fn create(http: &reqwest::Client, base: &str, more: Value) -> Result<String, Failure> {
    let mut body = json!({
        "model": env::var("BENCH_MODEL").unwrap_or_else(|_| "engram/scripted".into()),
        "embedding": "engram/embed",
        "memory_blocks": [
            {"label": "human", "value": "The user's name is Bob. He likes load tests."},
            {"label": "persona", "value": "I am a helpful assistant that answers briefly."}
        ]
    });
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    let answer = http.post(format!("{base}/agents/")).json(&body).send().await?.error_for_status()?;
    let agent: Value = answer.json().await?;
    Ok(agent["id"].as_str().ok_or("no id")?.to_owned())
}

/// One turn: milliseconds at the client, milliseconds of the server's own.
async fn turn(http: &reqwest::Client, base: &str, agent: &str, n: usize) -> Result<(f64, f64), Failure> {
    let body = json!({"messages": [{"role": "user", "content": format!("this is turn number {n} of the load")}]});
    let started = Instant::now();
    let answer = http.post(format!("{base}/agents/{agent}/messages")).json(&body).send().await?.error_for_status()?;
    let own = answer.headers().get("x-engram-server-ms").and_then(|v| v.to_str().ok()?.parse().ok());
    let text = answer.text().await?;
    if !text.contains("assistant_message") {
        return Err(format!("no answer: {text}").into());
    }
    Ok((started.elapsed().as_secs_f64() * 1e3, own.unwrap_or(f64::NAN)))
}

fn percentile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(((values.len().max(1) - 1) as f64 * q).round() as usize).copied().unwrap_or(f64::NAN)
}

async fn turns(http: &reqwest::Client, base: &str, agents: usize, each: usize) -> Result<String, Failure> {
    let ids: Vec<String> = stream::iter(0..agents)
        .map(|_| create(http, base, json!({})))
        .buffer_unordered(8)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect::<Result<_, _>>()?;
    for id in &ids {
        turn(http, base, id, 0).await?;
    }
    let started = Instant::now();
    let results = futures::future::join_all(ids.iter().map(|id| async move {
        let mut out = Vec::with_capacity(each);
        for n in 1..=each {
            out.push(turn(http, base, id, n).await?);
        }
        Ok::<_, Failure>(out)
    }))
    .await;
    let wall = started.elapsed().as_secs_f64();
    let all: Vec<(f64, f64)> = results.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let (mut seen, mut own): (Vec<f64>, Vec<f64>) = all.iter().copied().unzip();
    Ok(format!(
        "{agents:>3} agents: {:>7.0} turns/s   client p50 {:.2} p99 {:.2} ms   server's own p50 {:.2} p99 {:.2} ms",
        all.len() as f64 / wall,
        percentile(&mut seen, 0.5),
        percentile(&mut seen, 0.99),
        percentile(&mut own, 0.5),
        percentile(&mut own, 0.99),
    ))
}

async fn first_byte(http: &reqwest::Client, base: &str) -> Result<String, Failure> {
    let agent = create(http, base, json!({})).await?;
    turn(http, base, &agent, 0).await?;
    let mut first = Vec::new();
    for n in 0..60 {
        let body = json!({"stream_tokens": true, "messages": [{"role": "user", "content": format!("stream {n}")}]});
        let started = Instant::now();
        let answer = http.post(format!("{base}/agents/{agent}/messages/stream")).json(&body).send().await?;
        let mut bytes = answer.error_for_status()?.bytes_stream();
        bytes.next().await.ok_or("empty stream")??;
        first.push(started.elapsed().as_secs_f64() * 1e3);
        while bytes.next().await.is_some() {}
    }
    Ok(format!("first SSE byte: p50 {:.2} p99 {:.2} ms", percentile(&mut first, 0.5), percentile(&mut first, 0.99)))
}

async fn waking(http: &reqwest::Client, server: &mut Server, history: usize) -> Result<String, Failure> {
    let initial: Vec<Value> = (0..history)
        .map(|i| json!({"role": if i % 2 == 0 { "user" } else { "assistant" }, "content": format!("message {i} of the past")}))
        .collect();
    let more = json!({"context_window_limit": 16_000, "initial_message_sequence": initial});
    let agent = create(http, &server.base, more).await?;
    // The first turn compacts what does not fit; from then on the agent is as one that grew old.
    turn(http, &server.base, &agent, 0).await?;
    let mut woken = Vec::new();
    let mut starts = Vec::new();
    for n in 0..5 {
        starts.push(server.restart().await?.as_secs_f64() * 1e3);
        // The server's first request of all pays for its first connections.
        let other = create(http, &server.base, json!({})).await?;
        turn(http, &server.base, &other, 0).await?;
        woken.push(turn(http, &server.base, &agent, n).await?.1);
    }
    Ok(format!(
        "waking an agent with {history} messages and answering: server's own p50 {:.1} ms\nstart after kill -9, to the first health answer: p50 {:.0} ms",
        percentile(&mut woken, 0.5),
        percentile(&mut starts, 0.5)
    ))
}

async fn live_agents(http: &reqwest::Client, server: &Server, count: usize) -> Result<String, Failure> {
    let before = server.rss()?;
    let started = Instant::now();
    let failures = stream::iter(0..count)
        .map(|n| async move {
            let id = create(http, &server.base, json!({})).await?;
            turn(http, &server.base, &id, n).await.map(|_| ())
        })
        .buffer_unordered(32)
        .filter_map(|r| async move { r.err() })
        .count()
        .await;
    if failures > 0 {
        return Err(format!("{failures} of {count} agents failed").into());
    }
    let took = started.elapsed().as_secs_f64();
    let after = server.rss()?;
    Ok(format!(
        "{count} live agents, created and spoken to in {took:.0} s: {before:.0} → {after:.0} MiB, {:.1} KiB each",
        (after - before) * 1024.0 / count.max(1) as f64
    ))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let http = client();
    let mut server = Server::start().await?;
    let each = setting("BENCH_TURNS", 40);
    let result = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        println!("idle: {:.0} MiB", server.rss()?);
        for agents in [1, 16, 64] {
            println!("{}", turns(&http, &server.base, agents, each).await?);
        }
        println!("{}", first_byte(&http, &server.base).await?);
        println!("{}", waking(&http, &mut server, setting("BENCH_HISTORY", 10_000)).await?);
        println!("{}", live_agents(&http, &server, setting("BENCH_LIVE", 10_000)).await?);
        Ok(())
    }
    .await;
    server.stop().await?;
    result
}
