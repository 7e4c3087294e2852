//! Runs whose owner is a group.
//!
//! They are accepted, read, listed and deleted as every run is; here is what drives them. One node at a time owns a group,
//! with an epoch as a conversation has it, and whatever its driver writes is refused once another node has claimed the
//! group, or once the run is over. Statements that must see what others have done lock the group's row first.

use async_trait::async_trait;
use engram_core::{
    group::Member,
    ports::{
        LoggedEvent,
        store::{EndedGroupRun, GroupFence, GroupRunEnd, GroupRuns, GroupTask, TurnRun},
    },
};
use engram_domain::{AgentId, ConversationId, Group, GroupId, Message, MessageId, NodeId, Run, RunId, Scope, Time};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::{
    Page, Result, ScopedStore, Store,
    error::db,
    json::{AsJson, RawJson},
    leases::alive,
    messages::MessagePageError,
    rows::{RunRow, run_columns},
    run_events::EventColumns,
};

/// What a group's run has cost: what its turns have. `$1` is the run.
macro_rules! sum_turns {
    () => {
        "(step_count, completion_tokens, prompt_tokens, cached_tokens, cache_write_tokens, reasoning_tokens) = (
             SELECT coalesce(sum(c.step_count), 0), coalesce(sum(c.completion_tokens), 0),
                    coalesce(sum(c.prompt_tokens), 0), coalesce(sum(c.cached_tokens), 0),
                    coalesce(sum(c.cache_write_tokens), 0), coalesce(sum(c.reasoning_tokens), 0)
             FROM runs c WHERE c.parent_run_id = $1)"
    };
}

/// Who takes part, as `runs.participants` keeps it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Participants {
    /// In the group's order.
    pub(crate) members: Vec<Member>,
    pub(crate) manager: Option<Member>,
}

impl Participants {
    /// Gives what they say their names.
    pub(crate) fn name(&self, messages: &mut [Message]) {
        for message in messages {
            if let Some(member) = self.members.iter().find(|member| member.id == message.agent_id) {
                message.name = Some(member.name.clone());
            }
        }
    }
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

#[async_trait]
impl GroupRuns for Store {
    async fn orphaned_groups(&self, node: NodeId) -> Result<Vec<GroupId>> {
        let ids = sqlx::query_scalar(concat!(
            "SELECT DISTINCT r.group_id FROM runs r JOIN groups g ON g.id = r.group_id
             WHERE r.group_id IS NOT NULL AND r.status IN ('created', 'running')
               AND (g.owner IS NULL OR g.owner = $1 OR NOT EXISTS (SELECT FROM nodes n WHERE n.id = g.owner AND ",
            alive!(),
            "))"
        ))
        .bind(node.0)
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        Ok(ids.into_iter().map(GroupId).collect())
    }

    async fn claim_group(&self, group_id: GroupId, node: NodeId) -> Result<Option<GroupFence>> {
        let epoch: Option<i64> = sqlx::query_scalar(concat!(
            "UPDATE groups g SET owner = $2, epoch = epoch + 1
             WHERE g.id = $1 AND (g.owner IS NULL OR g.owner = $2
                                  OR NOT EXISTS (SELECT FROM nodes n WHERE n.id = g.owner AND ",
            alive!(),
            ")) RETURNING epoch"
        ))
        .bind(group_id.0)
        .bind(node.0)
        .fetch_optional(&self.pool)
        .await
        .map_err(db)?;
        Ok(epoch.map(|epoch| GroupFence { group_id, epoch }))
    }

    async fn release_group(&self, fence: GroupFence) -> Result<()> {
        sqlx::query("UPDATE groups SET owner = NULL WHERE id = $1 AND epoch = $2")
            .bind(fence.group_id.0)
            .bind(fence.epoch)
            .execute(&self.pool)
            .await
            .map_err(db)?;
        Ok(())
    }

    async fn begin_group_run(&self, fence: GroupFence, now: Time) -> Result<Option<GroupTask>> {
        let mut tx = self.pool.begin().await.map_err(db)?;
        if !lock(&mut tx, fence.group_id, Some(fence)).await? {
            return Ok(None);
        }
        let row = sqlx::query_as::<_, RunRow>(concat!(
            "SELECT ",
            run_columns!(),
            " FROM runs r WHERE r.group_id = $1 AND r.status IN ('created', 'running')
              ORDER BY r.status = 'running' DESC, r.accepted LIMIT 1"
        ))
        .bind(fence.group_id.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        let Some(run) = row.map(Run::try_from).transpose()? else { return Ok(None) };
        let Some(group) = crate::groups::read(&mut tx, Scope::System, fence.group_id).await? else { return Ok(None) };
        let kept: Option<RawJson> = sqlx::query_scalar(
            "UPDATE runs SET status = 'running', updated_at = $2 WHERE id = $1 RETURNING participants",
        )
        .bind(run.id.0)
        .bind(now)
        .fetch_one(&mut *tx)
        .await
        .map_err(db)?;
        let participants = match kept {
            Some(kept) => kept.parse("runs", "participants", run.id)?,
            None => settle(&mut tx, run.id, &group).await?,
        };
        tx.commit().await.map_err(db)?;
        Ok(Some(GroupTask { run, group, members: participants.members, manager: participants.manager }))
    }

    async fn advance_group_run(
        &self,
        fence: GroupFence,
        run: RunId,
        events: &[LoggedEvent],
        now: Time,
    ) -> Result<bool> {
        let mut tx = self.pool.begin().await.map_err(db)?;
        if !lock(&mut tx, fence.group_id, Some(fence)).await? {
            return Ok(false);
        }
        let moved = sqlx::query(concat!(
            "UPDATE runs SET updated_at = $2, ",
            sum_turns!(),
            " WHERE id = $1 AND status IN ('created', 'running')"
        ))
        .bind(run.0)
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        if moved.rows_affected() == 0 {
            return Ok(false);
        }
        let columns = EventColumns::of(events);
        sqlx::query(
            "INSERT INTO run_events (run_id, seq, event)
             SELECT $1, u.seq, u.event::json FROM unnest($2::bigint[], $3::text[]) AS u (seq, event)",
        )
        .bind(run.0)
        .bind(columns.seqs)
        .bind(columns.events)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        tx.commit().await.map_err(db)?;
        Ok(true)
    }

    async fn end_group_run(
        &self,
        group: GroupId,
        fence: Option<GroupFence>,
        end: &GroupRunEnd,
        now: Time,
    ) -> Result<Option<EndedGroupRun>> {
        let mut tx = self.pool.begin().await.map_err(db)?;
        if !lock(&mut tx, group, fence).await? {
            return Ok(None);
        }
        let manager: Option<Option<Uuid>> = sqlx::query_scalar(concat!(
            "UPDATE runs SET status = $2, stop_reason = $3, error = $4, error_kind = $5, updated_at = $6,
                             completed_at = $6, ",
            sum_turns!(),
            " WHERE id = $1 AND status IN ('created', 'running')
              RETURNING (SELECT g.manager_agent_id FROM groups g WHERE g.id = group_id)"
        ))
        .bind(end.run.0)
        .bind(end.stop_reason.status().as_str())
        .bind(end.stop_reason.as_str())
        .bind(end.error.as_ref().map(|error| &error.message))
        .bind(end.error.as_ref().map(|error| error.kind.as_str()))
        .bind(now)
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        let Some(manager) = manager else { return Ok(None) };
        let number: i64 = sqlx::query_scalar(
            "INSERT INTO run_events (run_id, seq, event)
             SELECT $1, coalesce(max(e.seq), 0) + 1, $2 FROM run_events e WHERE e.run_id = $1 RETURNING seq",
        )
        .bind(end.run.0)
        .bind(AsJson(&end.event))
        .fetch_one(&mut *tx)
        .await
        .map_err(db)?;
        tx.commit().await.map_err(db)?;
        Ok(Some(EndedGroupRun { number, manager: manager.map(AgentId) }))
    }

    async fn turns(&self, run: RunId) -> Result<Vec<TurnRun>> {
        let rows: Vec<(Uuid, Uuid, bool)> = sqlx::query_as(
            "SELECT id, conversation_id, status IN ('created', 'running') FROM runs WHERE parent_run_id = $1
             ORDER BY created_at, id",
        )
        .bind(run.0)
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        let turn =
            |(id, conversation, open)| TurnRun { id: RunId(id), conversation_id: ConversationId(conversation), open };
        Ok(rows.into_iter().map(turn).collect())
    }

    async fn sum_turns(&self, run: RunId) -> Result<()> {
        sqlx::query(concat!("UPDATE runs SET ", sum_turns!(), " WHERE id = $1"))
            .bind(run.0)
            .execute(&self.pool)
            .await
            .map_err(db)?;
        Ok(())
    }
}

impl ScopedStore {
    /// Deletes a group's runs that are over, with their events: what a reset of the group's messages forgets.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn forget_group_runs(&self, group: GroupId) -> Result<()> {
        sqlx::query(
            "DELETE FROM runs WHERE group_id = $1 AND completed_at IS NOT NULL
               AND organization_id = coalesce($2, organization_id)",
        )
        .bind(group.0)
        .bind(self.org())
        .execute(&self.store.queries)
        .await
        .map_err(db)?;
        Ok(())
    }
}

impl Store {
    /// Who takes part in a group's run; none before it was begun, or when it is no group's.
    pub(crate) async fn participants(&self, run: RunId) -> Result<Option<Participants>> {
        let kept: Option<Option<RawJson>> = sqlx::query_scalar("SELECT participants FROM runs WHERE id = $1")
            .bind(run.0)
            .fetch_optional(&self.pool)
            .await
            .map_err(db)?;
        kept.flatten().map(|kept| kept.parse("runs", "participants", run)).transpose()
    }
}

/// A page of the messages of a group's run. Cursors as in [`ScopedStore::messages`](crate::ScopedStore::messages).
pub(crate) fn page(all: Vec<Message>, page: Page) -> std::result::Result<Vec<Message>, MessagePageError> {
    let find = |id: Option<Uuid>| {
        id.map(|id| {
            let at = all.iter().position(|message| message.id.0 == id);
            at.ok_or(MessagePageError::UnknownCursor(MessageId(id)))
        })
        .transpose()
    };
    let from = find(page.after)?.map_or(0, |at| at + 1);
    let to = find(page.before)?.unwrap_or(all.len());
    let count = to.saturating_sub(from);
    let most = usize::try_from(page.limit).unwrap_or(0).min(count);
    let skip = if page.ascending { from } else { from + count - most };
    Ok(all.into_iter().skip(skip).take(most).collect())
}

/// Locks the group's row. False when the group is gone, or when the fence is not the newest.
async fn lock(conn: &mut PgConnection, group: GroupId, fence: Option<GroupFence>) -> Result<bool> {
    let locked = sqlx::query("SELECT FROM groups WHERE id = $1 AND epoch = coalesce($2, epoch) FOR NO KEY UPDATE")
        .bind(group.0)
        .bind(fence.map(|fence| fence.epoch))
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(locked.rows_affected() > 0)
}

/// Settles who takes part.
async fn settle(conn: &mut PgConnection, id: RunId, group: &Group) -> Result<Participants> {
    let mut members = agents(conn, &group.agent_ids).await?;
    let manager = match group.manager.manager_agent_id() {
        Some(manager) => agents(conn, &[manager]).await?.pop(),
        None => None,
    };
    // Two of one name could not be told apart by the others.
    for at in 1..members.len() {
        let (before, rest) = members.split_at_mut(at);
        if let Some(same) = rest.first_mut().filter(|m| before.iter().any(|b| b.name == m.name)) {
            same.name = format!("{} ({})", same.name, same.id);
        }
    }
    let participants = Participants { members, manager };
    sqlx::query("UPDATE runs SET participants = $2 WHERE id = $1")
        .bind(id.0)
        .bind(AsJson(&participants))
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(participants)
}

async fn agents(conn: &mut PgConnection, ids: &[AgentId]) -> Result<Vec<Member>> {
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
