//! Many agents without creating each of them over the API: copies of one that was, made by SQL.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::{Failure, machine::Progress};

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

/// Copies in one transaction: what a statement keeps for its end stays small.
const AT_ONCE: usize = 5_000;

/// As many copies of an agent as can be made in this time, `count` at most; their ids.
pub async fn copies(uri: &str, template: &str, count: usize, limit: Duration) -> Result<Vec<String>, Failure> {
    let mut db = PgConnection::connect(uri).await?;
    let id: Uuid = template.trim_start_matches("agent-").parse()?;
    let new = "CREATE FUNCTION pg_temp.new(uuid, int) RETURNS uuid IMMUTABLE LANGUAGE sql
               RETURN overlay(overlay(md5($1::text || $2) placing '4' from 13) placing '8' from 17)::uuid";
    sqlx::raw_sql(new).execute(&mut db).await?;
    let statements = statements(&mut db).await?;
    let (started, mut progress) = (Instant::now(), Progress::default());
    let mut made = 0;
    while made < count && started.elapsed() < limit {
        let until = count.min(made + AT_ONCE);
        let mut tx = db.begin().await?;
        for sql in &statements {
            let insert = sqlx::query(sqlx::AssertSqlSafe(sql.clone()));
            insert.bind(id).bind(made as i32 + 1).bind(until as i32).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        if made == 0 {
            // From here on its checks know that the tables are not empty.
            sqlx::raw_sql("ANALYZE").execute(&mut db).await?;
        }
        made = until;
        progress.say(|| format!("{made} of {count} agents copied"));
    }
    sqlx::raw_sql("ANALYZE").execute(&mut db).await?;
    let ids: Vec<Uuid> = sqlx::query_scalar("SELECT pg_temp.new($1, n) FROM generate_series(1, $2) AS n")
        .bind(id)
        .bind(made as i32)
        .fetch_all(&mut db)
        .await?;
    Ok(ids.into_iter().map(|id| format!("agent-{id}")).collect())
}

/// For each table the statement that copies the rows of the agent `$1` for the numbers from `$2` to `$3`.
async fn statements(db: &mut PgConnection) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    for (table, which, changed) in TABLES {
        let columns: Vec<String> = sqlx::query_scalar(
            "SELECT column_name::text FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'",
        )
        .bind(table)
        .fetch_all(&mut *db)
        .await?;
        let value = |c: &String| match changed.iter().find(|(name, _)| name == c) {
            Some((_, value)) => value.replace("new(", "pg_temp.new("),
            None => format!("t.\"{c}\""),
        };
        let values: Vec<String> = columns.iter().map(value).collect();
        all.push(format!(
            "INSERT INTO {table} (\"{}\") SELECT {} FROM {table} t, generate_series($2::int, $3::int) AS n WHERE {which}",
            columns.join("\", \""),
            values.join(", ")
        ));
    }
    Ok(all)
}
