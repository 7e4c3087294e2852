//! The acknowledgement: a run is stored, or the caller learns why not.
//!
//! The common case, a request without keys, is one statement in autocommit, and so is one with keys.
//! It finds the conversation and what its agent wishes, counts the open runs over the partial index
//! `runs_open`, looks up with whom the conversation lives, and inserts.
//!
//! What two requests at the same time must not both do is decided by the database: a key by its unique
//! index (the loser reads the winner's run), a refusal when busy by a lock that only such requests take.

use async_trait::async_trait;
use engram_core::ports::{AcceptRuns, Accepted, NewRun, Peer, Runs};
use engram_domain::{BusyPolicy, NodeId, RunId};
use sqlx::{PgExecutor, Postgres, error::ErrorKind, postgres::PgArguments, query::QueryAs};
use uuid::Uuid;

use crate::{Result, Store, StoreError, error::db, json::AsJson, leases::alive, rows::without_nul, scoped::org};

/// A request whose keys are taken is refused by their index, and finds the run that has them when it
/// tries again; unless that one was deleted in this very moment, so it may try a few times.
const TRIES: u8 = 5;

/// The statement, with what is needed for keys or without. `$12` says that the caller holds the lock of
/// requests that refuse to wait. `IS TRUE` keeps the planner from looking through all conversations of the
/// agent, of which there may be many.
macro_rules! insert_sql {
    ($before:literal, $known:literal, $after:literal) => {
        concat!(
            "WITH ",
            $before,
            "place AS (
                SELECT c.id, c.agent_id, a.organization_id, a.rev, coalesce($10, a.busy_policy) AS policy, n.id AS node, n.url, n.secret,
                       ",
            $known,
            " AS known,
                       (SELECT count(*) FROM runs o
                        WHERE o.conversation_id = c.id AND o.status IN ('created', 'running')) AS open
                FROM conversations c
                JOIN agents a ON a.id = c.agent_id
                LEFT JOIN nodes n ON n.id = c.owner AND n.id <> $13 AND ",
            alive!(),
            " WHERE c.id = $3 AND (c.agent_id = $2) IS TRUE AND a.organization_id = coalesce($14, a.organization_id)
            ), stored AS (
                INSERT INTO runs (id, organization_id, agent_id, conversation_id, status, input, background, run_type, metadata,
                                  callback_url, created_at, updated_at, interrupts)
                SELECT $1, organization_id, agent_id, id, 'created', $4, $5, $6, $7, $8, $9, $9, policy = 'interrupt'
                FROM place
                WHERE known IS NULL AND open < $11 AND (policy <> 'reject' OR $12 AND open = 0)
                RETURNING id
            )",
            $after,
            "SELECT rev, policy, node, url, secret, known, EXISTS (SELECT FROM stored) AS stored,
                    CASE WHEN policy = 'reject' AND open > 0 THEN (
                        SELECT o.id FROM runs o
                        WHERE o.conversation_id = place.id AND o.status IN ('created', 'running')
                        ORDER BY o.status = 'running' DESC, o.created_at, o.id LIMIT 1
                    ) END AS busy
             FROM place"
        )
    };
}

const WITHOUT_KEYS: &str = insert_sql!("", "NULL::uuid", "");
/// Keys are stored in the order of their bytes, so that two requests with the same ones wait for each
/// other instead of dead-locking; one too long for an index stands there as its digest.
const WITH_KEYS: &str = insert_sql!(
    "wanted AS (
        SELECT DISTINCT CASE WHEN octet_length(k) <= 512 THEN k
                             ELSE 'sha256:' || encode(sha256(convert_to(k, 'UTF8')), 'hex') END COLLATE \"C\" AS key
        FROM unnest($15::text[]) AS k
    ), ",
    // `key:…` comes before `otid:…`: the header speaks for the whole request.
    "(SELECT k.run_id FROM run_keys k JOIN wanted w ON w.key = k.key
      WHERE k.conversation_id = c.id ORDER BY w.key LIMIT 1)",
    ", named AS (
        INSERT INTO run_keys (conversation_id, key, run_id)
        SELECT $3, wanted.key, stored.id FROM stored, wanted ORDER BY wanted.key
    ) "
);

#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    rev: i64,
    policy: String,
    node: Option<Uuid>,
    url: Option<String>,
    secret: Option<String>,
    known: Option<Uuid>,
    /// Whether the run is there now.
    pub(crate) stored: bool,
    busy: Option<Uuid>,
}

#[async_trait]
impl AcceptRuns for Store {
    async fn accept_run(&self, run: &NewRun, node: NodeId) -> Result<Accepted> {
        for _ in 0..TRIES {
            let row = match self.try_accept(run, node).await {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(Accepted::NotFound),
                // Somebody with the same key was faster; its run is there to be read by now.
                Err(error) if is_taken_key(&error) => continue,
                Err(error) => return Err(db(error)),
            };
            if let Some(known) = row.known {
                match self.run(known.into()).await? {
                    Some(known) => return Ok(Accepted::Known(Box::new(known))),
                    None => continue,
                }
            }
            let policy = BusyPolicy::parse(&row.policy).ok_or_else(|| {
                let problem = format!("no such policy: {}", row.policy);
                crate::json::corrupt("agents", "busy_policy", run.agent_id, problem)
            })?;
            return Ok(match (row.stored, row.busy) {
                (true, _) => Accepted::Stored {
                    rev: row.rev,
                    owner: peer(row.node, row.url, row.secret),
                    policy: if policy == BusyPolicy::Interrupt { policy } else { BusyPolicy::Queue },
                },
                (false, Some(busy)) => Accepted::Busy(RunId(busy)),
                (false, None) => Accepted::Full,
            });
        }
        Err(StoreError::Unavailable("a request of the same name was accepted and deleted again".into()))
    }
}

impl Store {
    async fn try_accept(&self, run: &NewRun, node: NodeId) -> std::result::Result<Option<Row>, sqlx::Error> {
        if run.busy_policy != Some(BusyPolicy::Reject) {
            let row = insert(run, node, false, &self.pool).await?;
            // Only the agent knew that it does not want to wait, and only this answer says so.
            if !row.as_ref().is_some_and(|r| r.policy == BusyPolicy::Reject.as_str() && r.known.is_none()) {
                return Ok(row);
            }
        }
        let mut tx = self.pool.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(format!("engram busy {}", run.conversation_id.0.simple()))
            .execute(&mut *tx)
            .await?;
        // A statement of its own, so that it sees what the former holder of the lock has stored.
        let row = insert(run, node, true, &mut *tx).await?;
        tx.commit().await?;
        Ok(row)
    }
}

pub(crate) async fn insert(
    run: &NewRun,
    node: NodeId,
    locked: bool,
    executor: impl PgExecutor<'_>,
) -> std::result::Result<Option<Row>, sqlx::Error> {
    let query: QueryAs<'_, Postgres, Row, PgArguments> =
        sqlx::query_as(if run.keys.is_empty() { WITHOUT_KEYS } else { WITH_KEYS });
    let query = query
        .bind(run.id.0)
        .bind(run.agent_id.0)
        .bind(run.conversation_id.0)
        .bind(AsJson(&run.input))
        .bind(run.background)
        .bind(run.run_type.as_str())
        .bind(AsJson(&run.metadata))
        .bind(&run.callback_url)
        .bind(run.created_at)
        .bind(run.busy_policy.map(BusyPolicy::as_str))
        .bind(run.max_queue)
        .bind(locked)
        .bind(node.0)
        .bind(org(run.scope));
    let query = if run.keys.is_empty() {
        query
    } else {
        query.bind(run.keys.iter().map(|key| without_nul(key.to_string())).collect::<Vec<_>>())
    };
    query.fetch_optional(executor).await
}

fn is_taken_key(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|e| e.kind() == ErrorKind::UniqueViolation && e.constraint() == Some("run_keys_pkey"))
}

/// The peer that a left join has found, or none.
pub(crate) fn peer(id: Option<Uuid>, url: Option<String>, secret: Option<String>) -> Option<Peer> {
    Some(Peer { id: NodeId(id?), url: url?, secret: secret? })
}
