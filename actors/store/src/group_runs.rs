//! Messages to groups whose agents speak in turns.
//!
//! A group hears one message at a time, the oldest first. Whoever drives one may be two for a moment (a node that was
//! taken for dead): what they do is named by the turn, and only one of them ends it.

use async_trait::async_trait;
use engram_core::{
    group::Member,
    ports::{
        GroupRun, GroupRuns, GroupScene,
        store::{Claim, GroupAccepted},
    },
};
use engram_domain::{AgentId, Group, GroupId, NodeId, RequestKey, RunId, RunInput, Scope, StopReason, Time};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::{
    Result, ScopedStore, Store,
    error::db,
    json::{AsJson, RawJson},
    leases::alive,
};

#[derive(FromRow)]
struct Waiting {
    id: Uuid,
    key: Option<String>,
    input: RawJson,
    state: RawJson,
    created_at: Time,
}

/// Who takes part, kept in `group_runs.state`; `null` until the message is taken for the first time.
#[derive(Serialize, Deserialize)]
struct Cast {
    members: Vec<Member>,
    manager: Option<Member>,
}

#[derive(FromRow)]
struct MemberRow {
    id: Uuid,
    name: String,
    description: Option<String>,
}

impl From<MemberRow> for Member {
    fn from(row: MemberRow) -> Self {
        Self { id: AgentId(row.id), name: row.name, description: row.description.unwrap_or_default() }
    }
}

impl ScopedStore {
    /// Forgets what was said to a group in messages that are over.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn forget_group_runs(&self, group: GroupId) -> Result<()> {
        sqlx::query(
            "DELETE FROM group_runs r USING groups g
             WHERE r.group_id = $1 AND r.completed_at IS NOT NULL AND g.id = r.group_id
               AND g.organization_id = coalesce($2, g.organization_id)",
        )
        .bind(group.0)
        .bind(self.org())
        .execute(&self.store.pool)
        .await
        .map_err(db)?;
        Ok(())
    }
}

#[async_trait]
impl GroupRuns for Store {
    async fn insert_group_run(&self, run: &GroupRun, max_queue: i64, node: NodeId) -> Result<GroupAccepted> {
        let stored = sqlx::query(
            "INSERT INTO group_runs (id, group_id, status, input, state, owner, key, created_at, updated_at)
             SELECT $1, g.id, 'created', $3, 'null', $4, $6, $5, $5 FROM groups g
             WHERE g.id = $2
               AND (SELECT count(*) FROM group_runs o
                    WHERE o.group_id = g.id AND o.status IN ('created', 'running')) < $7
             ON CONFLICT (group_id, key) WHERE key IS NOT NULL DO NOTHING",
        )
        .bind(run.id.0)
        .bind(run.group_id.0)
        .bind(AsJson(&run.input))
        .bind(node.0)
        .bind(run.created_at)
        .bind(run.key.as_ref().map(RequestKey::as_str))
        .bind(max_queue)
        .execute(&self.pool)
        .await
        .map_err(db)?;
        if stored.rows_affected() > 0 {
            return Ok(GroupAccepted::Stored);
        }
        // A statement of its own, so that it sees what another request has stored under the name meanwhile.
        let known: Option<(Option<Uuid>, Option<RawJson>)> = sqlx::query_as(
            "SELECT r.id, r.input FROM groups g LEFT JOIN group_runs r ON r.group_id = g.id AND r.key = $2
             WHERE g.id = $1",
        )
        .bind(run.group_id.0)
        .bind(run.key.as_ref().map(RequestKey::as_str))
        .fetch_optional(&self.pool)
        .await
        .map_err(db)?;
        Ok(match known {
            None => GroupAccepted::NotFound,
            Some((Some(id), Some(input))) => {
                GroupAccepted::Known(RunId(id), Box::new(input.parse("group_runs", "input", RunId(id))?))
            }
            Some(_) => GroupAccepted::Full,
        })
    }

    async fn stranded_groups(&self, node: NodeId) -> Result<Vec<GroupId>> {
        let ids = sqlx::query_scalar(concat!(
            "SELECT DISTINCT r.group_id FROM group_runs r
             WHERE r.status IN ('created', 'running')
               AND (r.owner = $1 OR NOT EXISTS (SELECT FROM nodes n WHERE n.id = r.owner AND ",
            alive!(),
            "))"
        ))
        .bind(node.0)
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        Ok(ids.into_iter().map(GroupId).collect())
    }

    async fn claim_group_run(&self, group_id: GroupId, node: NodeId) -> Result<Claim> {
        let mut tx = self.pool.begin().await.map_err(db)?;
        // Who takes one of a group's messages is alone with it, so that two of them never begin at once.
        let there = sqlx::query("SELECT FROM groups WHERE id = $1 FOR NO KEY UPDATE")
            .bind(group_id.0)
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        if there.rows_affected() == 0 {
            return Ok(Claim::Nothing);
        }
        let row = sqlx::query_as::<_, Waiting>(
            "SELECT r.id, r.key, r.input, r.state, r.created_at FROM group_runs r
             WHERE r.group_id = $1 AND r.status IN ('created', 'running')
             ORDER BY r.status = 'running' DESC, r.created_at, r.id LIMIT 1",
        )
        .bind(group_id.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        let Some(row) = row else { return Ok(Claim::Nothing) };
        let id = RunId(row.id);
        let taken = sqlx::query(concat!(
            "UPDATE group_runs r SET owner = $2, status = 'running', updated_at = now()
             WHERE r.id = $1 AND r.status IN ('created', 'running')
               AND (r.owner IS NULL OR r.owner = $2 OR NOT EXISTS (
                   SELECT FROM nodes n WHERE n.id = r.owner AND ",
            alive!(),
            "))"
        ))
        .bind(id.0)
        .bind(node.0)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        if taken.rows_affected() == 0 {
            return Ok(Claim::Later);
        }
        let Some(group) = crate::groups::read(&mut tx, Scope::System, group_id).await? else {
            return Ok(Claim::Nothing);
        };
        let cast: Option<Cast> = row.state.parse("group_runs", "state", id)?;
        let cast = match cast {
            Some(cast) => cast,
            None => settle(&mut tx, id, &group).await?,
        };
        tx.commit().await.map_err(db)?;
        let input: RunInput = row.input.parse("group_runs", "input", id)?;
        let run = GroupRun {
            id,
            group_id: group.id,
            input,
            key: row.key.map(RequestKey::stored),
            created_at: row.created_at,
        };
        Ok(Claim::Taken(Box::new(GroupScene { run, group, members: cast.members, manager: cast.manager })))
    }

    async fn group_run_is_open(&self, id: RunId) -> Result<bool> {
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM group_runs WHERE id = $1 AND status IN ('created', 'running'))")
            .bind(id.0)
            .fetch_one(&self.pool)
            .await
            .map_err(db)
    }

    async fn prune_group_runs(&self, before: Time) -> Result<u64> {
        let done = sqlx::query("DELETE FROM group_runs WHERE completed_at < $1")
            .bind(before)
            .execute(&self.pool)
            .await
            .map_err(db)?;
        Ok(done.rows_affected())
    }

    async fn end_group_run(&self, id: RunId, stop_reason: StopReason, error: Option<&str>, now: Time) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE group_runs SET status = $2, stop_reason = $3, error = $4, updated_at = $5, completed_at = $5
             WHERE id = $1 AND status IN ('created', 'running')",
        )
        .bind(id.0)
        .bind(stop_reason.status().as_str())
        .bind(stop_reason.as_str())
        .bind(error)
        .bind(now)
        .execute(&self.pool)
        .await
        .map_err(db)?;
        Ok(done.rows_affected() > 0)
    }
}

impl Store {
    /// Forgets what was said to a group in messages that are over.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn forget_group_runs(&self, group: GroupId) -> Result<()> {
        sqlx::query("DELETE FROM group_runs WHERE group_id = $1 AND completed_at IS NOT NULL")
            .bind(group.0)
            .execute(&self.pool)
            .await
            .map_err(db)?;
        Ok(())
    }
}

/// Settles who takes part.
async fn settle(conn: &mut PgConnection, id: RunId, group: &Group) -> Result<Cast> {
    let mut members = people(conn, &group.agent_ids).await?;
    let manager = match group.manager.manager_agent_id() {
        Some(manager) => people(conn, &[manager]).await?.pop(),
        None => None,
    };
    // Two of one name could not be told apart by those who hear them.
    for at in 1..members.len() {
        let (before, rest) = members.split_at_mut(at);
        if let Some(same) = rest.first_mut().filter(|m| before.iter().any(|b| b.name == m.name)) {
            same.name = format!("{} ({})", same.name, same.id);
        }
    }
    let cast = Cast { members, manager };
    sqlx::query("UPDATE group_runs SET state = $2 WHERE id = $1")
        .bind(id.0)
        .bind(AsJson(&cast))
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(cast)
}

async fn people(conn: &mut PgConnection, ids: &[AgentId]) -> Result<Vec<Member>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as::<_, MemberRow>(
        "SELECT a.id, a.name, a.description FROM agents a WHERE a.id = ANY($1) ORDER BY array_position($1, a.id)",
    )
    .bind(ids)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    Ok(rows.into_iter().map(Member::from).collect())
}
