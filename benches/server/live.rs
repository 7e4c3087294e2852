//! Many live agents on one node. They are copies of one that was created over the API, made by SQL: creating them
//! is not what is measured.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::{
    Failure,
    cluster::{Database, Node},
    load,
    report::{Report, Times},
    setting,
};

/// Speaks to each of them once; what the process has grown by then is their memory.
pub async fn live(report: &mut Report) -> Result<(), Failure> {
    let http = load::client();
    let database = Database::create().await?;
    // Nobody falls asleep meanwhile.
    let node = Node::start(&database, &[("ENGRAM_IDLE_SECONDS", "100000".into())]).await?;
    let count = setting("BENCH_LIVE", 10_000);
    let template = load::create(&http, &node.base, json!({})).await?;
    let started = Instant::now();
    let ids = copies(&database.uri, &template, count).await?;
    report.number("agents copied by SQL", count as f64 / started.elapsed().as_secs_f64(), "agents/s", "");
    // The code, the connections and the caches that any load brings.
    for n in 0..200 {
        load::turn(&http, &node.base, &template, n).await?;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = node.rss()?;
    let started = Instant::now();
    let (http, base) = (&http, &node.base);
    let work = async {
        let turns = stream::iter(&ids).map(|id| async move { load::turn(http, base, id, 0).await });
        let mut times = Times::default();
        let mut turns = turns.buffer_unordered(32);
        while let Some((took, _)) = turns.try_next().await? {
            times.push(took);
        }
        Ok((times, started.elapsed()))
    };
    let ((times, took), health) = load::with_health(http, base, work).await?;
    report.number(
        "agents woken",
        count as f64 / took.as_secs_f64(),
        "agents/s",
        format!("and answering; client {}", times.words()),
    );
    let each = |now: f64| (now - before) * 1024.0 / count as f64;
    let now = node.rss()?;
    report.number("memory of an agent that has just answered", each(now), "KiB", format!("{before:.0} → {now:.0} MiB"));
    // By then the events of the runs are forgotten.
    tokio::time::sleep(Duration::from_secs(70)).await;
    let now = node.rss()?;
    report.number("memory of a live agent", each(now), "KiB", format!("{count} agents: {before:.0} → {now:.0} MiB"));
    report.times("health while they wake", &health, "");
    let again: Vec<&String> = ids.iter().step_by((count / 2_000).max(1)).collect();
    let mut times = Times::default();
    for id in again {
        times.push(load::turn(http, base, id, 1).await?.0);
    }
    report.times("a turn of one of them", &times, "one at a time, client");
    drop(node);
    database.drop().await
}

/// A table, which rows of it, and the columns with another value.
type Table = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Tables that hold an agent, with the columns that are another's in a copy. `new(x)` is the copy's id for `x`.
const TABLES: [Table; 7] = [
    ("agents", "t.id = $1", &[("id", "new(t.id, n)")]),
    ("blocks", "t.id IN (SELECT block_id FROM agent_blocks WHERE agent_id = $1)", &[("id", "new(t.id, n)")]),
    ("agent_blocks", "t.agent_id = $1", &[("agent_id", "new(t.agent_id, n)"), ("block_id", "new(t.block_id, n)")]),
    ("agent_tools", "t.agent_id = $1", &[("agent_id", "new(t.agent_id, n)")]),
    (
        "conversations",
        "t.agent_id = $1",
        &[
            ("id", "new(t.id, n)"),
            ("agent_id", "new(t.agent_id, n)"),
            ("system_message_id", "new(t.system_message_id, n)"),
            ("owner", "NULL"),
            ("epoch", "0"),
        ],
    ),
    (
        "messages",
        "t.agent_id = $1",
        &[
            ("id", "new(t.id, n)"),
            ("agent_id", "new(t.agent_id, n)"),
            ("conversation_id", "new(t.conversation_id, n)"),
            // The compiled prompt names its agent.
            ("content", "replace(t.content::text, t.agent_id::text, new(t.agent_id, n)::text)::json"),
        ],
    ),
    ("agent_archives", "t.agent_id = $1", &[("agent_id", "new(t.agent_id, n)")]),
];

async fn copies(uri: &str, template: &str, count: usize) -> Result<Vec<String>, Failure> {
    let mut db = PgConnection::connect(uri).await?;
    let id: Uuid = template.trim_start_matches("agent-").parse()?;
    let new = "CREATE FUNCTION pg_temp.new(uuid, int) RETURNS uuid IMMUTABLE LANGUAGE sql
               RETURN overlay(overlay(md5($1::text || $2) placing '4' from 13) placing '8' from 17)::uuid";
    sqlx::raw_sql(new).execute(&mut db).await?;
    for (table, which, changed) in TABLES {
        let columns: Vec<String> = sqlx::query_scalar(
            "SELECT column_name::text FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'",
        )
        .bind(table)
        .fetch_all(&mut db)
        .await?;
        let value = |c: &String| match changed.iter().find(|(name, _)| name == c) {
            Some((_, value)) => value.replace("new(", "pg_temp.new("),
            None => format!("t.\"{c}\""),
        };
        let values: Vec<String> = columns.iter().map(value).collect();
        let sql = format!(
            "INSERT INTO {table} (\"{}\") SELECT {} FROM {table} t, generate_series(1, $2) AS n WHERE {which}",
            columns.join("\", \""),
            values.join(", ")
        );
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).bind(count as i32).execute(&mut db).await?;
    }
    sqlx::raw_sql("ANALYZE").execute(&mut db).await?;
    let ids: Vec<Uuid> = sqlx::query_scalar("SELECT pg_temp.new($1, n) FROM generate_series(1, $2) AS n")
        .bind(id)
        .bind(count as i32)
        .fetch_all(&mut db)
        .await?;
    Ok(ids.into_iter().map(|id| format!("agent-{id}")).collect())
}
