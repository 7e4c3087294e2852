//! Many open streams of slow runs, and what else goes on beside them.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt, future, stream};
use serde_json::json;

use crate::{
    Failure,
    cluster::{Database, Node},
    herd, load,
    machine::{self, Progress},
    model::Provider,
    report::Report,
    setting,
};

/// Turns of other agents and the node's health beside the streams.
pub async fn streams(report: &mut Report) -> Result<(), Failure> {
    let http = load::client();
    let count = setting("BENCH_STREAMS", 1_000);
    // Of this process with its model, and of the server, which inherits it.
    machine::may_open(3 * count + 1_000);
    let provider = Provider::start().await?;
    let database = Database::create().await?;
    let node = Node::start(&database, &provider.environment()).await?;
    let lasting = Duration::from_secs(setting("BENCH_SECONDS", 8) as u64);
    let others = load::create_many(&http, &node.base, 64, &json!({})).await?;
    let template = load::create(&http, &node.base, json!({"model": "openai/drip"})).await?;
    let slow = herd::copies(&database.uri, &template, count, Duration::from_mins(2)).await?;
    for id in &others {
        load::turn(&http, &node.base, id, 0).await?;
    }
    let alone = load::turns(&http, &others, lasting, |_, _| &node.base).await?;
    report.number("turns beside no stream", alone.rate, "turns/s", "64 agents");
    let before = node.rss()?;
    let seen = Seen::default();
    let readers = slow.iter().map(|agent| read(&http, &node.base, agent, &seen));
    let readers = stream::iter(readers).buffer_unordered(count).for_each(|ended| {
        seen.ends
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(ended.map_or_else(|e| e.to_string(), |()| "it was over".into()));
        future::ready(())
    });
    let measure = async {
        let started = Instant::now();
        let mut progress = Progress::default();
        while seen.open.load(Ordering::Relaxed) < count && started.elapsed() < Duration::from_mins(1) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            progress.say(|| format!("{} of {count} streams open", seen.open.load(Ordering::Relaxed)));
        }
        report.number(
            "streams open",
            seen.open.load(Ordering::Relaxed) as f64,
            "streams",
            format!("of {count}, after {:.1} s", started.elapsed().as_secs_f64()),
        );
        let words_before = seen.words.load(Ordering::Relaxed);
        let work = load::turns(&http, &others, lasting, |_, _| &node.base);
        let (turns, health) = load::with_health(&http, &node.base, work).await?;
        let dripped = seen.words.load(Ordering::Relaxed) - words_before;
        let rate = dripped as f64 / lasting.as_secs_f64();
        report.number(
            "turns beside open streams",
            turns.rate,
            "turns/s",
            format!("64 agents, {count} streams; client {}", turns.seen.words()),
        );
        report.number(
            "pieces that the streams carried",
            rate,
            "pieces/s",
            format!("of {count} a second that the model says"),
        );
        report.times("health beside turns and streams", &health, "");
        report.number(
            "memory of a stream",
            (node.rss()? - before) * 1024.0 / count as f64,
            "KiB",
            "agent, run and connections",
        );
        let ends = seen.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let why = ends.first().map_or_else(String::new, |why| format!("the first: {why}"));
        report.number("streams that ended meanwhile", ends.len() as f64, "streams", why);
        Ok::<(), Failure>(())
    };
    // The readers go on for two minutes; nobody waits for them.
    tokio::select! {
        done = measure => done?,
        () = readers => return Err(format!("all streams ended: {:?}", seen.ends.lock().unwrap_or_else(PoisonError::into_inner).first()).into()),
    }
    drop(node);
    database.drop().await
}

/// What all readers have seen together.
#[derive(Default)]
struct Seen {
    words: AtomicUsize,
    /// Streams that have begun.
    open: AtomicUsize,
    /// Why streams have ended.
    ends: Mutex<Vec<String>>,
}

async fn read(http: &reqwest::Client, base: &str, agent: &str, seen: &Seen) -> Result<(), Failure> {
    let mut body = load::message("Tell me a long story.");
    body["stream_tokens"] = json!(true);
    let answer = http.post(format!("{base}/agents/{agent}/messages/stream")).json(&body).send().await?;
    let mut pieces = answer.error_for_status()?.bytes_stream();
    let mut first = true;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        seen.words.fetch_add(piece.windows(6).filter(|w| w == b"data: ").count(), Ordering::Relaxed);
        if std::mem::take(&mut first) {
            seen.open.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}
