//! Turns a second as a share of what the database can do.
//!
//! The other side of the comparison writes the very rows that a turn of the server leaves (taken from one that the
//! server has just made, under new ids) with plain prepared statements: the run, committed; the user's message with
//! the conversation's and the run's update, committed; the answer with the step and both updates, committed. Each
//! commit is one pipeline, so one round trip; the pool is as large as the server's, and 64 tasks share it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use futures::future;
use serde_json::json;
use tokio::sync::Mutex;
use tokio_postgres::{Client, NoTls, Statement, types::ToSql};
use uuid::Uuid;

use crate::{
    Failure,
    cluster::{Database, Node},
    load,
    report::{Report, Times},
    setting,
};

/// As `LETTA_PG_POOL_SIZE` of a server that is told nothing.
const POOL: usize = 25;
const TASKS: usize = 64;

/// SQL and server in turn, three times each.
pub async fn share(report: &mut Report) -> Result<(), Failure> {
    let http = load::client();
    let database = Database::create().await?;
    let node = Node::start(&database, &[]).await?;
    let lasting = Duration::from_secs(setting("BENCH_SECONDS", 8) as u64);
    let agents = load::create_many(&http, &node.base, TASKS, &json!({})).await?;
    let written = load::create_many(&http, &node.base, TASKS, &json!({})).await?;
    for id in agents.iter().chain(&written) {
        load::turn(&http, &node.base, id, 0).await?;
    }
    let plain = Plain::prepare(&database.uri, &written[0]).await?;
    let (mut sql, mut server, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        let before = database.cpu();
        let (rate, times) = plain.run(&written, lasting).await?;
        cpu.push((database.cpu() - before) * 1e3 / times.len() as f64);
        sql.push((rate, times));
        server.push(load::turns(&http, &agents, lasting, |_, _| &node.base).await?.rate);
    }
    sql.sort_by(|a, b| a.0.total_cmp(&b.0));
    server.sort_by(f64::total_cmp);
    cpu.sort_by(f64::total_cmp);
    let (rate, times) = &sql[1];
    report.number(
        "turns of rows by plain pipelined SQL",
        *rate,
        "turns/s",
        format!("{TASKS} tasks, {POOL} connections; Postgres {:.2} ms/turn; {}", cpu[1], times.words()),
    );
    report.number("turns of the server beside it", server[1], "turns/s", "64 agents; medians of three rounds, in turn");
    report.number("share of what the database can do", server[1] / rate * 100.0, "%", "");
    drop(node);
    database.drop().await
}

/// A row by its columns, as text.
type Row = HashMap<String, Option<String>>;

/// A table's columns and the rows to be written again.
struct Table {
    name: &'static str,
    columns: Vec<(String, String)>,
    rows: Vec<Row>,
}

struct Connection {
    client: Client,
    insert: HashMap<&'static str, Statement>,
    begin: Statement,
    commit: Statement,
    conversation: [Statement; 2],
    run: [Statement; 2],
}

struct Plain {
    tables: HashMap<&'static str, Table>,
    pool: Vec<Mutex<Connection>>,
}

/// The fence of a commit: the conversation as its owner knows it.
const CONVERSATION: &str = "UPDATE conversations SET version = version + 1, next_seq = next_seq + 1, \
     last_message_at = now(), updated_at = now() WHERE id = $1 AND epoch = $2 AND next_seq = $3";
const CONVERSATION_END: &str = "UPDATE conversations SET version = version + 1, next_seq = next_seq + 1, \
     last_message_at = now(), updated_at = now(), last_run_completion = now(), last_stop_reason = 'end_turn', \
     last_run_duration_ms = 1 WHERE id = $1 AND epoch = $2 AND next_seq = $3";
const RUN: &str = "UPDATE runs SET status = 'running', attempts = 1, first_seq = $2::bigint, end_seq = $2::bigint + 1, \
     updated_at = now() WHERE id = $1 AND status IN ('created', 'running')";
const RUN_END: &str = "UPDATE runs SET status = 'completed', stop_reason = 'end_turn', step_count = 1, ttft_ns = 1, \
     completion_tokens = 10, prompt_tokens = 2000, end_seq = $2::bigint + 1, updated_at = now(), completed_at = now() \
     WHERE id = $1 AND status IN ('created', 'running')";

impl Plain {
    /// Reads the rows of the agent's last turn and opens the connections.
    async fn prepare(uri: &str, agent: &str) -> Result<Self, Failure> {
        let first = connect(uri).await?;
        let agent: Uuid = agent.trim_start_matches("agent-").parse()?;
        let mut tables = HashMap::new();
        for (name, which) in [
            ("runs", "true ORDER BY created_at DESC LIMIT 1"),
            ("steps", "true ORDER BY created_at DESC LIMIT 1"),
            ("messages", "run_id IS NOT NULL ORDER BY seq DESC LIMIT 2"),
        ] {
            tables.insert(name, Table::read(&first, name, which, agent).await?);
        }
        let open = (0..POOL).map(|_| Connection::open(uri, &tables));
        let pool = future::try_join_all(open).await?.into_iter().map(Mutex::new).collect();
        Ok(Self { tables, pool })
    }

    /// As many turns as can be; the rate and what each took.
    async fn run(&self, agents: &[String], lasting: Duration) -> Result<(f64, Times), Failure> {
        let started = Instant::now();
        let turns = agents.iter().enumerate().map(|(i, agent)| async move {
            let conversation: Uuid = agent.trim_start_matches("agent-").parse()?;
            let (epoch, mut seq) = self.place(conversation).await?;
            let mut times = Times::default();
            while started.elapsed() < lasting {
                let turn = Instant::now();
                self.turn(i, conversation, epoch, seq).await?;
                seq += 2;
                times.push(turn.elapsed());
            }
            Ok::<_, Failure>(times)
        });
        let all = future::try_join_all(turns).await?;
        let wall = started.elapsed().as_secs_f64();
        let mut times = Times::default();
        for each in all {
            times.extend(each);
        }
        Ok((times.len() as f64 / wall, times))
    }

    async fn place(&self, conversation: Uuid) -> Result<(i64, i64), Failure> {
        let sql = "SELECT epoch, next_seq FROM conversations WHERE id = $1";
        let row = self.pool[0].lock().await.client.query_one(sql, &[&conversation]).await?;
        Ok((row.get(0), row.get(1)))
    }

    /// A free connection; the first to become free of one's own when none is.
    async fn connection(&self, task: usize) -> tokio::sync::MutexGuard<'_, Connection> {
        match self.pool.iter().find_map(|c| c.try_lock().ok()) {
            Some(free) => free,
            None => self.pool[task % self.pool.len()].lock().await,
        }
    }

    async fn turn(&self, task: usize, conversation: Uuid, epoch: i64, seq: i64) -> Result<(), Failure> {
        let (run, step) = (id(), id());
        let row = |table: &str, at: usize, own: &[(&str, String)]| {
            let mut row = self.tables[table].rows[at].clone();
            let own = own.iter().map(|(name, value)| ((*name).to_owned(), Some(value.clone())));
            row.extend(own);
            row.extend([
                ("conversation_id".to_owned(), Some(conversation.to_string())),
                ("agent_id".to_owned(), Some(conversation.to_string())),
            ]);
            self.tables[table].columns.iter().map(|(c, _)| row.remove(c).flatten()).collect::<Vec<_>>()
        };
        let created = [("status", "created".to_owned()), ("id", run.to_string())];
        let accepted = row("runs", 0, &created);
        {
            let c = self.connection(task).await;
            c.insert("runs", &accepted).await?;
        }
        let own = [("id", id().to_string()), ("seq", seq.to_string()), ("run_id", run.to_string())];
        let asked = row("messages", 1, &own);
        {
            let c = self.connection(task).await;
            let moved: [&(dyn ToSql + Sync); 3] = [&conversation, &epoch, &seq];
            let begun: [&(dyn ToSql + Sync); 2] = [&run, &seq];
            let done = future::try_join5(
                c.client.execute(&c.begin, &[]),
                c.client.execute(&c.conversation[0], &moved),
                c.insert("messages", &asked),
                c.client.execute(&c.run[0], &begun),
                c.client.execute(&c.commit, &[]),
            );
            expect_one(done.await?.1)?;
        }
        let seq = seq + 1;
        let own = [
            ("id", id().to_string()),
            ("seq", seq.to_string()),
            ("run_id", run.to_string()),
            ("step_id", step.to_string()),
        ];
        let said = row("messages", 0, &own);
        let record = row("steps", 0, &[("id", step.to_string()), ("run_id", run.to_string())]);
        let c = self.connection(task).await;
        let moved: [&(dyn ToSql + Sync); 3] = [&conversation, &epoch, &seq];
        let ended: [&(dyn ToSql + Sync); 2] = [&run, &seq];
        let begin = c.client.execute(&c.begin, &[]);
        let done = future::try_join5(
            c.client.execute(&c.conversation[1], &moved),
            c.insert("messages", &said),
            c.insert("steps", &record),
            c.client.execute(&c.run[1], &ended),
            c.client.execute(&c.commit, &[]),
        );
        let (_, done) = future::try_join(begin, done).await?;
        expect_one(done.0)
    }
}

fn id() -> Uuid {
    Uuid::from_u128(rand::random())
}

fn expect_one(rows: u64) -> Result<(), Failure> {
    if rows == 1 { Ok(()) } else { Err(format!("the fence matched {rows} rows").into()) }
}

impl Table {
    async fn read(client: &Client, name: &'static str, which: &str, agent: Uuid) -> Result<Self, Failure> {
        let columns = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a \
                       WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attname <> 'created_at'";
        let columns = client.query(columns, &[&name]).await?;
        let columns: Vec<(String, String)> = columns.iter().map(|r| (r.get(0), r.get(1))).collect();
        let list: Vec<String> = columns.iter().map(|(c, _)| format!("\"{c}\"::text")).collect();
        let sql = format!("SELECT {} FROM {name} WHERE agent_id = $1 AND {which}", list.join(", "));
        let rows = client.query(&sql, &[&agent]).await?;
        let read =
            |row: &tokio_postgres::Row| columns.iter().enumerate().map(|(i, (c, _))| (c.clone(), row.get(i))).collect();
        let rows = rows.iter().map(read).collect();
        Ok(Self { name, columns, rows })
    }

    fn insert(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(c, _)| c.as_str()).collect();
        let values = self.columns.iter().enumerate().map(|(i, (_, kind))| format!("${}::text::{kind}", i + 1));
        format!(
            "INSERT INTO {} (\"{}\", created_at) VALUES ({}, now())",
            self.name,
            names.join("\", \""),
            values.collect::<Vec<_>>().join(", ")
        )
    }
}

impl Connection {
    async fn open(uri: &str, tables: &HashMap<&'static str, Table>) -> Result<Self, Failure> {
        let client = connect(uri).await?;
        let mut insert = HashMap::new();
        for (name, table) in tables {
            insert.insert(*name, client.prepare(&table.insert()).await?);
        }
        Ok(Self {
            insert,
            begin: client.prepare("BEGIN").await?,
            commit: client.prepare("COMMIT").await?,
            conversation: [client.prepare(CONVERSATION).await?, client.prepare(CONVERSATION_END).await?],
            run: [client.prepare(RUN).await?, client.prepare(RUN_END).await?],
            client,
        })
    }

    async fn insert(&self, table: &str, row: &[Option<String>]) -> Result<u64, tokio_postgres::Error> {
        let values: Vec<&(dyn ToSql + Sync)> = row.iter().map(|v| v as &(dyn ToSql + Sync)).collect();
        self.client.execute(&self.insert[table], &values).await
    }
}

async fn connect(uri: &str) -> Result<Client, Failure> {
    let (client, connection) = tokio_postgres::connect(uri, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
