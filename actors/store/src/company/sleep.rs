//! Sleep-time companions: after every so many committed turns of an agent they are told what was said, and work it
//! into its memory.
//!
//! Turns are counted by the commit that ends them (`commit/turn.rs`). Here a group's row is locked, its companions'
//! runs are stored, and the turns they cover are marked as worked on, all in one transaction: for every full number of
//! turns exactly one run of each companion, however often and wherever this is asked, and whatever crashes.

use engram_core::{
    ports::{Ids, NewRun, company::Begun},
    transcript,
};
use engram_domain::{
    AgentId, Message, MessageId, NodeId, Part, Role, RunId, RunInput, Time,
    run::{BusyPolicy, InputMessage},
};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::{
    Result, Store, accept,
    error::db,
    rows::{MessageRow, message_columns},
};

/// `run_type` of a companion's runs.
const RUN_TYPE: &str = "sleeptime";
/// Messages of the agent that one run is told of at most.
const MOST_MESSAGES: i64 = 2_000;

#[derive(FromRow)]
struct DueGroup {
    id: Uuid,
    manager_agent_id: Uuid,
    frequency: i64,
    due: i64,
    worked: i64,
    last: Option<Uuid>,
    companions: Vec<Uuid>,
}

impl Store {
    pub(super) async fn begin_sleep_runs(&self, now: Time, limit: i64, ids: &dyn Ids) -> Result<Vec<Begun>> {
        let mut begun = Vec::new();
        while let Some(more) = self.begin_for_one_group(now, limit, ids).await? {
            begun.extend(more);
            if i64::try_from(begun.len()).unwrap_or(i64::MAX) >= limit {
                break;
            }
        }
        Ok(begun)
    }

    /// One group in one transaction; none when no group is due.
    async fn begin_for_one_group(&self, now: Time, limit: i64, ids: &dyn Ids) -> Result<Option<Vec<Begun>>> {
        let mut tx = self.pool.begin().await.map_err(db)?;
        let group = sqlx::query_as::<_, DueGroup>(
            "SELECT g.id, g.manager_agent_id, greatest(coalesce(g.sleeptime_agent_frequency, 1), 1)::bigint AS frequency,
                    g.turns_counter + 1 - g.turns_worked AS due, g.turns_worked AS worked,
                    g.last_processed_message_id AS last,
                    ARRAY(SELECT ga.agent_id FROM group_agents ga
                          WHERE ga.group_id = g.id AND ga.agent_id <> g.manager_agent_id
                          ORDER BY ga.position) AS companions
             FROM groups g
             WHERE g.manager_type = 'sleeptime'
               AND g.turns_counter + 1 - g.turns_worked >= greatest(coalesce(g.sleeptime_agent_frequency, 1), 1)
             ORDER BY g.updated_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED",
        )
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        let Some(mut group) = group else { return Ok(None) };
        let mut begun = Vec::new();
        while group.due >= group.frequency && i64::try_from(begun.len()).unwrap_or(i64::MAX) < limit {
            begun.extend(begin(&mut tx, &mut group, now, ids).await?);
        }
        sqlx::query("UPDATE groups SET turns_worked = $2, last_processed_message_id = $3 WHERE id = $1")
            .bind(group.id)
            .bind(group.worked)
            .bind(group.last)
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        tx.commit().await.map_err(db)?;
        Ok(Some(begun))
    }
}

/// One run of each companion, for the next full number of turns.
async fn begin(conn: &mut PgConnection, group: &mut DueGroup, now: Time, ids: &dyn Ids) -> Result<Vec<Begun>> {
    let messages = unworked(conn, group).await?;
    group.last = messages.last().map(|message| message.id.0).or(group.last);
    group.worked += group.frequency;
    group.due -= group.frequency;
    let text = transcript::for_sleep(&transcript::lines(&messages));
    let mut begun = Vec::new();
    for companion in &group.companions {
        let run = companion_run(group, AgentId(*companion), text.clone(), now, ids);
        accept::insert(&run, NodeId(Uuid::nil()), false, &mut *conn).await.map_err(db)?;
        begun.push((run.conversation_id, run.id));
    }
    Ok(begun)
}

/// Messages of the agent since the last one that was worked on, up to the end of the last turn that is to be.
async fn unworked(conn: &mut PgConnection, group: &DueGroup) -> Result<Vec<Message>> {
    let rows = sqlx::query_as::<_, MessageRow>(concat!(
        "WITH start AS (
            SELECT coalesce((SELECT m.seq FROM messages m WHERE m.id = $2 AND m.conversation_id = $1), -1) AS seq
        ), turns AS (
            SELECT r.end_seq FROM runs r, start
            WHERE r.conversation_id = $1 AND r.agent_id = $1 AND r.status = 'completed'
              AND r.stop_reason <> 'requires_approval' AND r.end_seq > start.seq + 1
            ORDER BY r.end_seq LIMIT $3
        )
        SELECT ",
        message_columns!(),
        " FROM messages m, start
          WHERE m.conversation_id = $1 AND m.seq > start.seq AND m.seq < (SELECT max(end_seq) FROM turns)
            AND m.run_id IS NOT NULL
          ORDER BY m.seq LIMIT $4"
    ))
    .bind(group.manager_agent_id)
    .bind(group.last)
    .bind(group.frequency)
    .bind(MOST_MESSAGES)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.into_iter().map(Message::try_from).collect()
}

fn companion_run(group: &DueGroup, to: AgentId, text: String, now: Time, ids: &dyn Ids) -> NewRun {
    let message = InputMessage {
        role: Role::User,
        content: vec![Part::text(text)],
        name: None,
        otid: None,
        sender_id: Some(AgentId(group.manager_agent_id).to_string()),
        group_id: None,
    };
    let group_id = engram_domain::GroupId(group.id);
    NewRun {
        id: RunId(ids.uuid()),
        agent_id: to,
        conversation_id: to.default_conversation(),
        input: RunInput { messages: vec![message], ..RunInput::default() },
        background: false,
        run_type: RUN_TYPE.into(),
        metadata: serde_json::json!({
            "group_id": group_id,
            "primary_agent_id": AgentId(group.manager_agent_id),
            "last_processed_message_id": group.last.map(MessageId),
        }),
        callback_url: None,
        keys: vec![format!("sleep:{group_id}:{}", group.worked)],
        busy_policy: Some(BusyPolicy::Queue),
        max_queue: i64::MAX,
        created_at: now,
    }
}
