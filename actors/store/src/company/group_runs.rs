//! Messages to groups whose agents speak in turns.
//!
//! Whoever drives one may be two for a moment: what they do is named by the turn, and only one of them ends it. A group
//! hears one message at a time.

use engram_core::{
    group::Member,
    ports::{GroupRun, GroupScene, company::Claim},
};
use engram_domain::{AgentId, Group, GroupId, NodeId, RunId, RunInput, StopReason, Time};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::{
    Result, Store,
    claims::alive,
    error::db,
    json::{AsJson, RawJson},
};

#[derive(FromRow)]
struct Waiting {
    group_id: Uuid,
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

impl Store {
    pub(super) async fn store_group_run(&self, run: &GroupRun, node: NodeId) -> Result<bool> {
        let done = sqlx::query(
            "INSERT INTO group_runs (id, group_id, status, input, state, owner, created_at, updated_at)
             SELECT $1, g.id, 'created', $3, 'null', $4, $5, $5 FROM groups g WHERE g.id = $2",
        )
        .bind(run.id.0)
        .bind(run.group_id.0)
        .bind(AsJson(&run.input))
        .bind(node.0)
        .bind(run.created_at)
        .execute(&self.pool)
        .await
        .map_err(db)?;
        Ok(done.rows_affected() > 0)
    }

    pub(super) async fn open_group_runs(&self, limit: i64) -> Result<Vec<RunId>> {
        let ids = sqlx::query_scalar(concat!(
            "SELECT r.id FROM group_runs r
             WHERE r.status IN ('created', 'running')
               AND NOT EXISTS (SELECT FROM nodes n WHERE n.id = r.owner AND ",
            alive!(),
            ") ORDER BY r.created_at LIMIT $1"
        ))
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        Ok(ids.into_iter().map(RunId).collect())
    }

    pub(super) async fn take_group_run(&self, id: RunId, node: NodeId) -> Result<Claim> {
        let mut tx = self.pool.begin().await.map_err(db)?;
        let row = sqlx::query_as::<_, Waiting>(
            "SELECT r.group_id, r.input, r.state, r.created_at FROM group_runs r
             WHERE r.id = $1 AND r.status IN ('created', 'running')",
        )
        .bind(id.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        let Some(row) = row else { return Ok(Claim::Over) };
        // Who takes one of a group's messages is alone with it, so that two of them never begin at once.
        sqlx::query("SELECT FROM groups WHERE id = $1 FOR NO KEY UPDATE")
            .bind(row.group_id)
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        let taken = sqlx::query(concat!(
            "UPDATE group_runs r SET owner = $2, epoch = r.epoch + 1, status = 'running', updated_at = now()
             WHERE r.id = $1 AND r.status IN ('created', 'running')
               AND (r.owner IS NULL OR r.owner = $2 OR NOT EXISTS (
                   SELECT FROM nodes n WHERE n.id = r.owner AND ",
            alive!(),
            ")) AND NOT EXISTS (
                   SELECT FROM group_runs o WHERE o.group_id = r.group_id AND o.id <> r.id
                     AND (o.status = 'running'
                          OR o.status = 'created' AND (o.created_at, o.id) < (r.created_at, r.id)))"
        ))
        .bind(id.0)
        .bind(node.0)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        if taken.rows_affected() == 0 {
            return Ok(Claim::Later);
        }
        let Some(group) = crate::groups::read(&mut tx, GroupId(row.group_id)).await? else { return Ok(Claim::Over) };
        let cast: Option<Cast> = row.state.parse("group_runs", "state", id)?;
        let cast = match cast {
            Some(cast) => cast,
            None => settle(&mut tx, id, &group).await?,
        };
        tx.commit().await.map_err(db)?;
        let input: RunInput = row.input.parse("group_runs", "input", id)?;
        let run = GroupRun { id, group_id: group.id, input, created_at: row.created_at };
        Ok(Claim::Taken(Box::new(GroupScene { run, group, members: cast.members, manager: cast.manager })))
    }

    pub(super) async fn end_open_group_run(
        &self,
        id: RunId,
        stop_reason: StopReason,
        error: Option<&str>,
        now: Time,
    ) -> Result<bool> {
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
