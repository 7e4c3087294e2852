//! Clients.

use std::{
    env,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, future, stream};
use serde_json::{Value, json};

use crate::{Failure, report::Times};

/// A client that keeps its connections.
#[expect(clippy::expect_used, reason = "a benchmark without a client is none")]
pub fn client() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(2_048).no_proxy().build().expect("a client")
}

/// The model of agents whose model is not the point.
pub fn scripted() -> String {
    env::var("BENCH_MODEL").unwrap_or_else(|_| "engram/scripted".into())
}

/// Creates an agent with a human and a persona block; returns its id.
pub async fn create(http: &reqwest::Client, base: &str, more: Value) -> Result<String, Failure> {
    let mut body = json!({
        "model": scripted(),
        "embedding": "engram/embed",
        "memory_blocks": [
            {"label": "human", "value": "The user's name is Bob. He likes load tests."},
            {"label": "persona", "value": "I am a helpful assistant that answers briefly."}
        ]
    });
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    let answer = http.post(format!("{base}/agents/")).json(&body).send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    let agent: Value = serde_json::from_str(&text).unwrap_or_default();
    Ok(agent["id"].as_str().ok_or_else(|| format!("no agent: {status} {text}"))?.to_owned())
}

/// As many of them.
pub async fn create_many(
    http: &reqwest::Client,
    base: &str,
    count: usize,
    more: &Value,
) -> Result<Vec<String>, Failure> {
    stream::iter(0..count).map(|_| create(http, base, more.clone())).buffer_unordered(8).try_collect().await
}

/// A message of eight words, or of the text.
pub fn message(text: &str) -> Value {
    json!({"messages": [{"role": "user", "content": text}]})
}

/// One turn: as the client saw it, and the server's own milliseconds.
pub async fn turn(http: &reqwest::Client, base: &str, agent: &str, n: usize) -> Result<(Duration, f64), Failure> {
    let body = message(&format!("this is turn number {n} of the load"));
    let started = Instant::now();
    let answer = http.post(format!("{base}/agents/{agent}/messages")).json(&body).send().await?.error_for_status()?;
    let own = answer.headers().get("x-engram-server-ms").and_then(|v| v.to_str().ok()?.parse().ok());
    let text = answer.text().await?;
    if !text.contains("assistant_message") {
        return Err(format!("no answer: {text}").into());
    }
    Ok((started.elapsed(), own.unwrap_or(f64::NAN)))
}

/// One turn with these words; how long it took, and the whole answer.
pub async fn tell(http: &reqwest::Client, base: &str, agent: &str, text: &str) -> Result<(Duration, String), Failure> {
    let started = Instant::now();
    let request = http.post(format!("{base}/agents/{agent}/messages")).json(&message(text));
    let answer = request.send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    let took = started.elapsed();
    if status.is_success() { Ok((took, text)) } else { Err(format!("{status} {text}").into()) }
}

/// What a closed loop saw.
pub struct Turns {
    /// Turns in all.
    pub count: usize,
    /// Turns a second.
    pub rate: f64,
    /// As the clients saw them.
    pub seen: Times,
    /// As the server did.
    pub own: Times,
}

/// A closed loop for a time: an agent's next message is sent when its last one is answered. `base` chooses the
/// node for the n-th turn of the i-th agent.
pub async fn turns<'a>(
    http: &reqwest::Client,
    agents: &[String],
    lasting: Duration,
    base: impl Fn(usize, usize) -> &'a str,
) -> Result<Turns, Failure> {
    let started = Instant::now();
    let base = &base;
    let each = agents.iter().enumerate().map(|(i, agent)| async move {
        let (mut seen, mut own) = (Times::default(), Times::default());
        let mut n = 1;
        while started.elapsed() < lasting {
            let (client, server) = turn(http, base(i, n), agent, n).await?;
            seen.push(client);
            own.push_ms(server);
            n += 1;
        }
        Ok::<_, Failure>((seen, own))
    });
    let all = future::try_join_all(each).await?;
    let wall = started.elapsed().as_secs_f64();
    let (mut seen, mut own) = (Times::default(), Times::default());
    for (s, o) in all {
        seen.extend(s);
        own.extend(o);
    }
    Ok(Turns { count: seen.len(), rate: seen.len() as f64 / wall, seen, own })
}

/// Asks for the node's health every 10 ms until `stop`.
pub async fn health(http: &reqwest::Client, base: &str, stop: &AtomicBool) -> Result<Times, Failure> {
    let mut times = Times::default();
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        http.get(format!("{base}/health/")).send().await?.error_for_status()?.bytes().await?;
        times.push(started.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(times)
}

/// Health beside something that takes a while.
pub async fn with_health<T>(
    http: &reqwest::Client,
    base: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<(T, Times), Failure> {
    let stop = AtomicBool::new(false);
    let work = async {
        let result = work.await;
        stop.store(true, Ordering::Relaxed);
        result
    };
    let (result, times) = future::join(work, health(http, base, &stop)).await;
    Ok((result?, times?))
}
