//! The acknowledgement: a run is stored, or the caller learns why not.
//!
//! The common case, a request without keys, is one statement in autocommit, and so is one with keys.
//! It finds the conversation (or group) and its agent's busy policy, counts the open runs over a partial index
//! (`runs_open`, `runs_group_open`), looks up which node owns it, and inserts.
//!
//! What two requests at the same time must not both do is decided by the database: a key by its unique
//! index (the loser reads the winner's run), a refusal when busy by a lock that only such requests take.

use async_trait::async_trait;
use engram_core::ports::{AcceptRuns, Accepted, NewRun, Peer, Runs};
use engram_domain::{BusyPolicy, NodeId, RunId, RunOwner};
use sqlx::{PgExecutor, Postgres, error::ErrorKind, postgres::PgArguments, query::QueryAs};
use uuid::Uuid;

use crate::{
    Result, Store, StoreError, again::again, error::db, json::AsJson, leases::alive, rows::without_nul, scoped::org,
};

/// A request whose keys are taken is refused by their index, and finds the run that has them when it
/// tries again; unless that one was deleted in this very moment, so it may try a few times.
const TRIES: u8 = 5;

/// The one place that says which columns a run is stored with: `n` is a row for each new run.
macro_rules! insert_runs {
    ($from:literal) => {
        concat!(
            "INSERT INTO runs (id, organization_id, agent_id, conversation_id, group_id, parent_run_id, status, input,
                               background, run_type, metadata, callback_url, created_at, updated_at, interrupts)
             SELECT n.id, n.organization_id, n.agent_id, n.conversation_id, n.group_id, n.parent_run_id, 'created', n.input, n.background,
                    n.run_type, n.metadata, n.callback_url, n.created_at, n.created_at, n.interrupts
             FROM ",
            $from
        )
    };
}
pub(crate) use insert_runs;

/// A conversation whose run it shall be, as `o`. `IS TRUE` keeps the planner from looking through all conversations of
/// the agent, of which there may be many.
macro_rules! conversation {
    () => {
        "SELECT c.id, a.organization_id, c.id AS conversation_id, NULL::uuid AS group_id, c.agent_id, a.rev, a.busy_policy, c.owner
         FROM conversations c JOIN agents a ON a.id = c.agent_id WHERE c.id = $3 AND (c.agent_id = $2) IS TRUE
           AND a.organization_id = coalesce($14, a.organization_id)"
    };
}

/// A group whose run it shall be. Its runs wait for each other unless they ask for something else.
macro_rules! group {
    () => {
        "SELECT g.id, g.organization_id, NULL::uuid AS conversation_id, g.id AS group_id, NULL::uuid AS agent_id, 0::bigint AS rev,
                'queue' AS busy_policy, g.owner
         FROM groups g
         WHERE g.id = $3 AND $2::uuid IS NULL AND g.organization_id = coalesce($14, g.organization_id)"
    };
}

/// The statement, for an owner and the column that names it, and with what is needed for keys or without. `$12` says
/// that the caller holds the lock of requests that refuse to wait.
macro_rules! insert_sql {
    ($owner:expr, $column:literal, $before:expr, $known:expr, $after:expr) => {
        concat!(
            "WITH ",
            $before,
            "place AS (
                SELECT o.id AS owner_id, o.organization_id, o.conversation_id, o.group_id, o.agent_id, o.rev,
                       coalesce($10, o.busy_policy) AS policy, n.id AS node, n.url, n.secret, ",
            $known,
            " AS known,
                       (SELECT count(*) FROM runs r
                        WHERE r.", $column, " = o.id AND r.status IN ('created', 'running')) AS open
                FROM (", $owner, ") o
                LEFT JOIN nodes n ON n.id = o.owner AND n.id <> $13 AND ",
            alive!(),
            "), stored AS (",
            insert_runs!(
                "(SELECT $1::uuid AS id, organization_id, agent_id, conversation_id, group_id, $15::uuid AS parent_run_id, $4::json AS input,
                         $5::boolean AS background, $6::text AS run_type, $7::json AS metadata, $8::text AS callback_url,
                         $9::timestamptz AS created_at, policy = 'interrupt' AS interrupts
                  FROM place WHERE known IS NULL AND open < $11 AND (policy <> 'reject' OR $12 AND open = 0)) n"
            ),
            " RETURNING id)",
            $after,
            "SELECT rev, policy, node, url, secret, known, EXISTS (SELECT FROM stored) AS stored,
                    CASE WHEN policy = 'reject' AND open > 0 THEN (
                        SELECT r.id FROM runs r
                        WHERE r.", $column, " = place.owner_id AND r.status IN ('created', 'running')
                        ORDER BY r.status = 'running' DESC, r.accepted LIMIT 1
                    ) END AS busy
             FROM place"
        )
    };
}

/// [`insert_sql`] without keys, and with them. Keys are stored in the order of their bytes, so that two requests with the
/// same ones wait for each other instead of dead-locking; one too long for an index stands there as its digest.
macro_rules! insert_sqls {
    ($owner:expr, $column:literal) => {
        [
            insert_sql!($owner, $column, "", "NULL::uuid", ""),
            insert_sql!(
                $owner,
                $column,
                "wanted AS (
                    SELECT DISTINCT CASE WHEN octet_length(k) <= 512 THEN k
                                         ELSE 'sha256:' || encode(sha256(convert_to(k, 'UTF8')), 'hex') END COLLATE \"C\" AS key
                    FROM unnest($16::text[]) AS k
                ), ",
                // `key:…` comes before `otid:…`: the header speaks for the whole request.
                "(SELECT k.run_id FROM run_keys k JOIN wanted w ON w.key = k.key
                  WHERE k.owner_id = o.id ORDER BY w.key LIMIT 1)",
                ", named AS (
                    INSERT INTO run_keys (owner_id, key, run_id)
                    SELECT $3, wanted.key, stored.id FROM stored, wanted ORDER BY wanted.key
                ) "
            ),
        ]
    };
}

const TO_CONVERSATION: [&str; 2] = insert_sqls!(conversation!(), "conversation_id");
const TO_GROUP: [&str; 2] = insert_sqls!(group!(), "group_id");

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
        self.writes.note(again(|| self.accept(run, node)).await)
    }
}

impl Store {
    async fn accept(&self, run: &NewRun, node: NodeId) -> Result<Accepted> {
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
                crate::json::corrupt("agents", "busy_policy", run.owner, problem)
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
            .bind(format!("engram busy {}", run.owner))
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
    let (sqls, owner) = match run.owner {
        RunOwner::Conversation(id) => (TO_CONVERSATION, id.0),
        RunOwner::Group(id) => (TO_GROUP, id.0),
    };
    let query: QueryAs<'_, Postgres, Row, PgArguments> = sqlx::query_as(sqls[usize::from(!run.keys.is_empty())]);
    let query = query
        .bind(run.id.0)
        .bind(run.agent_id.map(|agent| agent.0))
        .bind(owner)
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
        .bind(org(run.scope))
        .bind(run.parent.map(|parent| parent.0));
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
