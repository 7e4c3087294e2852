//! Agents with each other: a question and its answer, a question to many, and what a sleep-time companion costs the
//! agent it works for. The model answers at once, so all of it is the server's and the database's time.

use std::time::{Duration, Instant};

use futures::future;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::{
    Failure,
    cluster::{Database, Node},
    load,
    report::{Report, Times},
    setting,
};

const ASK: &str = "send_message_to_agent_and_wait_for_reply";
const BROADCAST: &str = "send_message_to_agents_matching_tags";
/// Agents with a companion, and as many without.
const SLEEPERS: usize = 16;
/// Between the beginnings of two turns: 50 a second.
const PACE: Duration = Duration::from_millis(20);

/// All three, on one node.
pub async fn together(report: &mut Report) -> Result<(), Failure> {
    let http = load::client();
    let database = Database::create().await?;
    let node = Node::start(&database, &[]).await?;
    round_trip(report, &http, &node.base, &database).await?;
    broadcast(report, &http, &node.base).await?;
    companions(report, &http, &node.base, &database).await?;
    drop(node);
    database.drop().await
}

/// The scripted model's order to call a tool.
fn order(tool: &str, arguments: &Value) -> String {
    format!("[[call {tool} {arguments}]] well?")
}

/// What a tool answered, if it succeeded.
fn returned(answer: &str) -> Result<String, Failure> {
    let body: Value = serde_json::from_str(answer)?;
    let result =
        body["messages"].as_array().and_then(|all| all.iter().find(|m| m["message_type"] == "tool_return_message"));
    match result {
        Some(result) if result["status"] == "success" => {
            Ok(result["tool_return"].as_str().unwrap_or_default().to_owned())
        }
        _ => Err(format!("the tool failed: {answer}").into()),
    }
}

/// Pairs of agents, one of which asks the other: one at a time, and many at once.
async fn round_trip(
    report: &mut Report,
    http: &reqwest::Client,
    base: &str,
    database: &Database,
) -> Result<(), Failure> {
    let lasting = Duration::from_secs(setting("BENCH_SECONDS", 8) as u64);
    let mut db = PgConnection::connect(&database.uri).await?;
    // More pairs than ask at the same time, so that nobody's past grows long.
    for (pairs, at_once) in [(16, 1), (64, 32)] {
        let askers =
            load::create_many(http, base, pairs, &json!({"agent_type": "letta_v1_agent", "tools": [ASK]})).await?;
        let others = load::create_many(http, base, pairs, &json!({"agent_type": "letta_v1_agent"})).await?;
        let asks = |i: usize| {
            let text = order(ASK, &json!({"message": "How far are you with the report?", "other_agent_id": others[i]}));
            let asker = &askers[i];
            async move {
                let (took, answer) = load::tell(http, base, asker, &text).await?;
                match returned(&answer)? {
                    said if said.contains("You said") => Ok::<_, Failure>(took),
                    said => Err(format!("no reply: {said}").into()),
                }
            }
        };
        for i in 0..pairs {
            asks(i).await?;
        }
        let since: f64 =
            sqlx::query_scalar("SELECT extract(epoch FROM clock_timestamp())::float8").fetch_one(&mut db).await?;
        let started = Instant::now();
        let each = (0..at_once).map(|first| {
            let asks = &asks;
            async move {
                let mut times = Times::default();
                for i in (first..pairs).step_by(at_once).cycle() {
                    if started.elapsed() > lasting {
                        break;
                    }
                    times.push(asks(i).await?);
                }
                Ok::<_, Failure>(times)
            }
        });
        let mut turns = Times::default();
        for times in future::try_join_all(each).await? {
            turns.extend(times);
        }
        let wall = started.elapsed().as_secs_f64();
        // From the call to its result, as the asking agent's own messages tell it.
        let trips: Vec<f64> = sqlx::query_scalar(
            "SELECT extract(epoch FROM t.created_at - c.created_at)::float8 * 1000
             FROM messages t JOIN messages c ON c.conversation_id = t.conversation_id AND c.seq = t.seq - 1
             WHERE t.role = 'tool' AND t.content->>'name' = $1 AND t.created_at > to_timestamp($2)",
        )
        .bind(ASK)
        .bind(since)
        .fetch_all(&mut db)
        .await?;
        let mut times = Times::default();
        for ms in trips {
            times.push_ms(ms);
        }
        let load = format!("{pairs} pairs, {at_once} at a time, {:.0} round trips/s", turns.len() as f64 / wall);
        report.times(
            &format!("an agent asks another, {at_once} at a time"),
            &times,
            format!("from call to reply; {load}"),
        );
        report.times(
            &format!("the whole turn of it, {at_once} at a time"),
            &turns,
            "client; 2 steps, and the other's turn",
        );
    }
    Ok(())
}

/// One agent asks many, and waits for all.
async fn broadcast(report: &mut Report, http: &reqwest::Client, base: &str) -> Result<(), Failure> {
    let workers = setting("BENCH_WORKERS", 100);
    load::create_many(http, base, workers, &json!({"agent_type": "letta_v1_agent", "tags": ["crew"]})).await?;
    // Each asks once: so many answers fill a context soon.
    let askers =
        load::create_many(http, base, 31, &json!({"agent_type": "letta_v1_agent", "tools": [BROADCAST]})).await?;
    let text = order(BROADCAST, &json!({"message": "Report, please.", "match_all": ["crew"], "match_some": []}));
    let mut times = Times::default();
    for (n, asker) in askers.iter().enumerate() {
        load::turn(http, base, asker, 0).await?;
        let (took, answer) = load::tell(http, base, asker, &text).await?;
        let answers: Vec<Value> = serde_json::from_str(&returned(&answer)?)?;
        let replies = answers.iter().filter(|a| a.get("response").is_some()).count();
        if replies != workers {
            return Err(format!("{replies} of {workers} replied: {answer}").into());
        }
        // The first one wakes the workers.
        if n > 0 {
            times.push(took);
        }
    }
    let rate = workers as f64 * 1e3 / times.percentile(0.5);
    report.times(&format!("broadcast to {workers} workers"), &times, format!("all reply; client; {rate:.0} replies/s"));
    Ok(())
}

/// Foreground turns of agents that have a companion beside those of agents that have none and are the same otherwise.
async fn companions(
    report: &mut Report,
    http: &reqwest::Client,
    base: &str,
    database: &Database,
) -> Result<(), Failure> {
    let lasting = Duration::from_secs(setting("BENCH_SECONDS", 8) as u64);
    let with = load::create_many(http, base, SLEEPERS, &json!({"enable_sleeptime": true})).await?;
    // An agent with a companion has other tools and other instructions. Those without get the same ones.
    let one: Value = http.get(format!("{base}/agents/{}", with[0])).send().await?.error_for_status()?.json().await?;
    let frequency =
        one["multi_agent_group"]["sleeptime_agent_frequency"].as_u64().ok_or("an agent without companion")?;
    let tools: Vec<&Value> = one["tools"].as_array().into_iter().flatten().map(|tool| &tool["name"]).collect();
    let same = json!({
        "agent_type": one["agent_type"], "system": one["system"], "tools": tools, "tool_rules": one["tool_rules"],
        "include_base_tools": false, "include_base_tool_rules": false,
    });
    let without = load::create_many(http, base, SLEEPERS, &same).await?;
    for id in with.iter().chain(&without) {
        load::turn(http, base, id, 0).await?;
    }
    let turn = |id: String, n: usize| async move { Ok::<_, Failure>(load::turn(http, base, &id, n).await?.0) };

    // One with, one without, in turn: what else the machine does meets both.
    let (mut rested, mut alone) = (Times::default(), Times::default());
    let (started, mut n, mut slots) = (Instant::now(), 0, tokio::time::interval(PACE));
    while started.elapsed() < lasting * 2 {
        let agent = n / 2 % SLEEPERS;
        // Neither is always the first of the two.
        let first = (n / 2 / SLEEPERS).is_multiple_of(2) == n.is_multiple_of(2);
        slots.tick().await;
        if first {
            rested.push(turn(with[agent].clone(), n).await?);
        } else {
            alone.push(turn(without[agent].clone(), n).await?);
        }
        n += 1;
    }
    compare(report, "in turn", frequency, &rested, &alone);

    // Some seconds of the ones, then of the others: the companions' own work falls upon those that have them.
    let (mut rested, mut alone) = (Times::default(), Times::default());
    for round in 0..6 {
        let ours = round % 2 == 0;
        let (agents, times) = if ours { (&with, &mut rested) } else { (&without, &mut alone) };
        let (started, mut slots) = (Instant::now(), tokio::time::interval(PACE));
        while started.elapsed() < lasting / 3 {
            slots.tick().await;
            times.push(turn(agents[n % SLEEPERS].clone(), n).await?);
            n += 1;
        }
        // What the companions have been given is done before the others are measured.
        settled(database).await?;
    }
    compare(report, "in blocks", frequency, &rested, &alone);

    let mut db = PgConnection::connect(&database.uri).await?;
    let worked: Vec<(String, i64)> =
        sqlx::query_as("SELECT status, count(*) FROM runs WHERE run_type = 'sleeptime' GROUP BY 1 ORDER BY 1")
            .fetch_all(&mut db)
            .await?;
    let runs: i64 = worked.iter().map(|(_, n)| n).sum();
    report.number("runs of companions meanwhile", runs as f64, "runs", format!("{worked:?}, {SLEEPERS} agents"));
    if runs == 0 {
        return Err("no companion did anything, so nothing was measured".into());
    }
    Ok(())
}

fn compare(report: &mut Report, how: &str, frequency: u64, with: &Times, without: &Times) {
    let load = format!("{SLEEPERS} agents, {} turns/s in all", 1000 / PACE.as_millis());
    report.times(&format!("turn with a companion, {how}"), with, format!("client; every {frequency} turns; {load}"));
    report.times(&format!("turn without one, {how}"), without, "the same tools and instructions");
    let more = (with.percentile(0.5) / without.percentile(0.5) - 1.0) * 100.0;
    report.number(
        &format!("a companion's cost, p50, {how}"),
        more,
        "%",
        "of the foreground turn; the aim is 5 at most",
    );
}

/// Waits until no run is open, and none of a companion is due.
async fn settled(database: &Database) -> Result<(), Failure> {
    let mut db = PgConnection::connect(&database.uri).await?;
    let (started, mut quiet) = (Instant::now(), Instant::now());
    // The ticker looks every second.
    while quiet.elapsed() < Duration::from_millis(1_500) {
        let open: i64 = sqlx::query_scalar("SELECT count(*) FROM runs WHERE status IN ('created', 'running')")
            .fetch_one(&mut db)
            .await?;
        if open > 0 {
            quiet = Instant::now();
        }
        if started.elapsed() > Duration::from_mins(1) {
            return Err(format!("{open} runs do not end").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
