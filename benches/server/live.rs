//! Many live agents on one node. They are copies of one that was created over the API, made by SQL: creating them
//! is not what is measured. They are woken by the cheapest request that needs the agent: what its system prompt would
//! be. So its actor claims the conversation and loads what is in context, and nothing is written but the claim.
//!
//! It ends early, with what it has until then, when its time is over (`BENCH_LIVE_SECONDS`) or when the machine has
//! no memory left; the report says so.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use crate::{
    Failure,
    cluster::{Database, Node},
    herd, load,
    machine::{self, Progress},
    report::{Report, Times},
    setting,
};

/// Requests at the same time.
const AT_ONCE: usize = 32;
/// Agents that also answer, at most.
const SPEAKERS: usize = 10_000;

/// Wakes each of them; what the process has grown by then is their memory.
pub async fn live(report: &mut Report) -> Result<(), Failure> {
    let http = load::client();
    let began = Instant::now();
    let limit = Duration::from_secs(setting("BENCH_LIVE_SECONDS", 540) as u64);
    let count = setting("BENCH_LIVE", 10_000);
    let database = Database::create().await?;
    // Nobody falls asleep meanwhile, unless the server had to take memory from the database and this program.
    let most = (machine::available() * 0.7).min(1e6) as u64;
    let environment = [("ENGRAM_IDLE_SECONDS", "100000".into()), ("ENGRAM_MEMORY_LIMIT", most.to_string())];
    let node = Node::start(&database, &environment).await?;
    let template = load::create(&http, &node.base, json!({})).await?;
    let started = Instant::now();
    let ids = herd::copies(&database.uri, &template, count, limit / 3).await?;
    let rate = ids.len() as f64 / started.elapsed().as_secs_f64();
    report.number("agents copied by SQL", rate, "agents/s", partial(ids.len(), count, ""));
    // The code, the connections and the caches that any load brings.
    for n in 0..200 {
        load::turn(&http, &node.base, &template, n).await?;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = node.rss()?;
    let watch = Watch { node: &node, database: &database };
    // What comes after has its share of the time.
    let work = watch.each("woken", began + limit / 4 * 3, &ids, |id| wake(&http, &node.base, id));
    let (woken, health) = load::with_health(&http, &node.base, work).await?;
    let awake = woken.times.len();
    let note = format!("{}; client {}", partial(awake, ids.len(), &woken.why), woken.times.words());
    report.number("agents woken", awake as f64 / woken.took.as_secs_f64(), "agents/s", note);
    let alive = count_live(&http, &node.base).await?;
    report.number("live agents", alive, "agents", "by the node's own count");
    let now = node.rss()?;
    let each = |now: f64, agents: f64| (now - before) * 1024.0 / agents;
    report.number("memory of a live agent", each(now, alive), "KiB", format!("{before:.0} → {now:.0} MiB, all of it"));
    let note = format!(
        "of its connections; this program {:.0} MiB, left on the machine {:.0}",
        machine::own(),
        machine::available()
    );
    report.number("memory of Postgres", database.memory(), "MiB", note);
    report.times("health while they wake", &health, "");

    let speakers: Vec<String> = ids[..awake].iter().step_by((awake / SPEAKERS).max(1)).cloned().collect();
    let (http, base) = (&http, &node.base);
    let work = watch.each("have answered", began + limit, &speakers, |id: &String| async move {
        Ok(load::turn(http, base, id, 0).await?.0)
    });
    let (spoken, health) = load::with_health(http, base, work).await?;
    let note = format!(
        "{}, {AT_ONCE} at a time; client {}",
        partial(spoken.times.len(), speakers.len(), &spoken.why),
        spoken.times.words()
    );
    report.number("first turns of live agents", spoken.times.len() as f64 / spoken.took.as_secs_f64(), "turns/s", note);
    report.times("health while they answer", &health, format!("beside {alive} live agents"));
    let mut times = Times::default();
    for id in speakers.iter().step_by((speakers.len() / 1_000).max(1)) {
        times.push(load::turn(http, base, id, 1).await?.0);
    }
    report.times("a turn of one of them", &times, "one at a time, client");
    let note = format!("{} at the end, {:.0} MiB", count_live(http, base).await?, node.rss()?);
    report.number("memory limit of the server", most as f64, "MiB", format!("live agents: {note}"));
    drop(node);
    database.drop().await
}

/// `n of wanted`, with the reason where they are not all.
fn partial(n: usize, wanted: usize, why: &str) -> String {
    match why {
        _ if n == wanted => format!("all {n}"),
        "" => format!("only {n} of {wanted}: the time was over"),
        why => format!("only {n} of {wanted}: {why}"),
    }
}

/// Something that is done with agents, as far as it went.
struct Done {
    times: Times,
    took: Duration,
    /// Why it ended early.
    why: String,
}

struct Watch<'a> {
    node: &'a Node,
    database: &'a Database,
}

impl Watch<'_> {
    /// Does something with each agent, some at a time, until all are done, the time is over, memory is short, or it fails.
    async fn each<'i, F>(
        &self,
        verb: &str,
        until: Instant,
        ids: &'i [String],
        what: impl Fn(&'i String) -> F,
    ) -> Result<Done, Failure>
    where
        F: Future<Output = Result<Duration, Failure>>,
    {
        let (started, mut progress) = (Instant::now(), Progress::default());
        let mut done = Done { times: Times::default(), took: Duration::ZERO, why: String::new() };
        let mut all = stream::iter(ids).map(what).buffered(AT_ONCE);
        while done.why.is_empty() {
            match all.try_next().await {
                Ok(Some(took)) => done.times.push(took),
                Ok(None) => break,
                Err(error) => done.why = error.to_string(),
            }
            if done.times.len() == ids.len() {
                break;
            }
            if Instant::now() > until {
                done.why = "the time was over".into();
            } else if done.times.len().is_multiple_of(256) && machine::is_short() {
                done.why = "the machine has no memory left".into();
            }
            progress.say(|| {
                let (server, database) = (self.node.rss().unwrap_or(f64::NAN), self.database.memory());
                format!(
                    "{} of {} {verb}, {:.0} s; MiB: server {server:.0}, Postgres {database:.0}, this program {:.0}, left {:.0}",
                    done.times.len(),
                    ids.len(),
                    started.elapsed().as_secs_f64(),
                    machine::own(),
                    machine::available()
                )
            });
        }
        done.took = started.elapsed();
        Ok(done)
    }
}

/// Asks for something that only the agent itself can tell.
async fn wake(http: &reqwest::Client, base: &str, agent: &str) -> Result<Duration, Failure> {
    let started = Instant::now();
    let answer = http.post(format!("{base}/agents/{agent}/recompile?dry_run=true")).send().await?;
    let (status, prompt) = (answer.status(), answer.text().await?);
    if !status.is_success() || prompt.len() < 100 {
        return Err(format!("no prompt: {status} {prompt}").into());
    }
    Ok(started.elapsed())
}

async fn count_live(http: &reqwest::Client, base: &str) -> Result<f64, Failure> {
    let metrics = http.get(base.replace("/v1", "/metrics")).send().await?.error_for_status()?.text().await?;
    let line = metrics.lines().find_map(|line| line.strip_prefix("engram_live_agents "));
    Ok(line.ok_or("the node does not count its agents")?.trim().parse()?)
}
