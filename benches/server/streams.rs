//! Many open streams of slow runs, and what else goes on beside them.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use serde_json::json;

use crate::{
    Failure,
    cluster::{Database, Node},
    load,
    model::Provider,
    report::Report,
    setting,
};

/// Turns of other agents and the node's health beside the streams.
pub async fn streams(report: &mut Report) -> Result<(), Failure> {
    let http = load::client();
    let provider = Provider::start().await?;
    let database = Database::create().await?;
    let node = Node::start(&database, &provider.environment()).await?;
    let count = setting("BENCH_STREAMS", 1_000);
    let lasting = Duration::from_secs(setting("BENCH_SECONDS", 8) as u64);
    let others = load::create_many(&http, &node.base, 64, &json!({})).await?;
    let slow = load::create_many(&http, &node.base, count, &json!({"model": "openai/drip"})).await?;
    for id in &others {
        load::turn(&http, &node.base, id, 0).await?;
    }
    let alone = load::turns(&http, &others, lasting, |_, _| &node.base).await?;
    report.number("turns beside no stream", alone.rate, "turns/s", "64 agents");
    let before = node.rss()?;
    let (words, open) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (words, open) = (&words, &open);
    let readers = slow.iter().map(|agent| {
        let (http, base) = (&http, &node.base);
        async move { read(http, base, agent, words, open).await }
    });
    let readers = stream::iter(readers).buffer_unordered(count).collect::<Vec<_>>();
    let measure = async {
        let started = Instant::now();
        while open.load(Ordering::Relaxed) < count && started.elapsed() < Duration::from_mins(1) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        report.number(
            "streams open",
            open.load(Ordering::Relaxed) as f64,
            "streams",
            format!("after {:.1} s", started.elapsed().as_secs_f64()),
        );
        let words_before = words.load(Ordering::Relaxed);
        let work = load::turns(&http, &others, lasting, |_, _| &node.base);
        let (turns, health) = load::with_health(&http, &node.base, work).await?;
        let dripped = words.load(Ordering::Relaxed) - words_before;
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
        Ok::<(), Failure>(())
    };
    // The readers go on for two minutes; nobody waits for them.
    tokio::select! {
        done = measure => done?,
        ended = readers => return Err(format!("the streams ended: {:?}", ended.into_iter().find_map(Result::err)).into()),
    }
    drop(node);
    database.drop().await
}

async fn read(
    http: &reqwest::Client,
    base: &str,
    agent: &str,
    words: &AtomicUsize,
    open: &AtomicUsize,
) -> Result<(), Failure> {
    let mut body = load::message("Tell me a long story.");
    body["stream_tokens"] = json!(true);
    let answer = http.post(format!("{base}/agents/{agent}/messages/stream")).json(&body).send().await?;
    let mut pieces = answer.error_for_status()?.bytes_stream();
    let mut first = true;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        words.fetch_add(piece.windows(6).filter(|w| w == b"data: ").count(), Ordering::Relaxed);
        if std::mem::take(&mut first) {
            open.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}
