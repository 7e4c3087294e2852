//! Messages to groups whose agents speak in turns.
//!
//! Whoever drives one may be two for a moment: what they do is named by the turn, and only one of them ends it.

use engram_core::{
    group::Member,
    ports::{GroupRun, GroupScene},
};
use engram_domain::{AgentId, GroupId, NodeId, RunId, RunInput, StopReason, Time};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    Result, Store,
    claims::alive,
    error::db,
    json::{AsJson, RawJson},
};

#[derive(FromRow)]
struct Taken {
    group_id: Uuid,
    input: RawJson,
    created_at: Time,
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
             SELECT $1, g.id, 'created', $3, '{}', $4, $5, $5 FROM groups g WHERE g.id = $2",
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

    pub(super) async fn take_group_run(&self, id: RunId, node: NodeId) -> Result<Option<GroupScene>> {
        let taken = sqlx::query_as::<_, Taken>(concat!(
            "UPDATE group_runs r SET owner = $2, epoch = r.epoch + 1, status = 'running', updated_at = now()
             WHERE r.id = $1 AND r.status IN ('created', 'running')
               AND (r.owner IS NULL OR r.owner = $2 OR NOT EXISTS (
                   SELECT FROM nodes n WHERE n.id = r.owner AND ",
            alive!(),
            ")) RETURNING r.group_id, r.input, r.created_at"
        ))
        .bind(id.0)
        .bind(node.0)
        .fetch_optional(&self.pool)
        .await
        .map_err(db)?;
        let Some(taken) = taken else { return Ok(None) };
        let group_id = GroupId(taken.group_id);
        let Some(group) = self.group(group_id).await? else { return Ok(None) };
        let input: RunInput = taken.input.parse("group_runs", "input", id)?;
        let run = GroupRun { id, group_id, input, created_at: taken.created_at };
        let members = self.members(&group.agent_ids).await?;
        let manager = match group.manager.manager_agent_id() {
            Some(manager) => self.members(&[manager]).await?.pop(),
            None => None,
        };
        Ok(Some(GroupScene { run, group, members, manager }))
    }

    async fn members(&self, ids: &[AgentId]) -> Result<Vec<Member>> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let rows = sqlx::query_as::<_, MemberRow>(
            "SELECT a.id, a.name, a.description FROM agents a WHERE a.id = ANY($1) ORDER BY array_position($1, a.id)",
        )
        .bind(ids)
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        Ok(rows.into_iter().map(Member::from).collect())
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
