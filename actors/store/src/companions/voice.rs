//! Companions of voice agents: what has left their agent's context is told to them, and they work it into its memory.
//!
//! What leaves is decided by the agent itself, in the commit that ends a turn (`engram_core::step`) or by a compaction;
//! here that is only read. A group's row is locked, its companions' runs are stored, and the mark is moved to where the
//! agent's context begins, all in one transaction: every message is told once, however often and wherever this is
//! asked, and whatever crashes. Messages of a turn that is on are not told before its end, so a companion never works
//! on half of one.
//!
//! The mark goes back when the conversation is emptied (`commit/messages.rs`), and begins where the context does when the
//! group is made or gets another manager (`groups/share.rs`).

use async_trait::async_trait;
use engram_core::{
    ports::{Ids, Runs, VoiceSleepTime, store::Begun, tools::Told},
    transcript,
};
use engram_domain::{AgentId, GroupId, Json, Message, RunId, RunType, Time, message::parts_text};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{Task, sleep_time::MOST_MESSAGES};
use crate::{
    Result, Store, StoreError,
    error::db,
    json::RawJson,
    rows::{MessageRow, message_columns},
};

/// Where the messages end that have left the context and whose turns are over; for `group_sleep g` and `conversations c`.
macro_rules! left {
    () => {
        "least(c.context_from, (SELECT min(r.first_seq) FROM runs r
                                WHERE r.conversation_id = c.id AND r.status = 'running'))"
    };
}

#[derive(FromRow)]
struct Leaving {
    manager_agent_id: Uuid,
    told: i64,
    left: i64,
    companions: Vec<Uuid>,
}

#[async_trait]
impl VoiceSleepTime for Store {
    async fn begin_voice_sleep_time(&self, now: Time, limit: i64, ids: &dyn Ids) -> Result<Vec<Begun>> {
        let groups: Vec<Uuid> = sqlx::query_scalar(concat!(
            "SELECT g.group_id FROM group_sleep g JOIN conversations c ON c.id = g.manager_agent_id
             WHERE g.manager_type = 'voice_sleeptime' AND c.context_from > g.evicted_seq AND g.evicted_seq < ",
            left!(),
            " ORDER BY g.updated_at LIMIT $1"
        ))
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        let mut begun = Vec::new();
        for group in groups {
            match self.begin_for_voice_group(group, now, ids).await {
                Ok(more) => begun.extend(more),
                Err(error @ (StoreError::Unavailable(_) | StoreError::Overloaded(_))) => return Err(error),
                // It must not keep the others waiting.
                Err(error) => tracing::error!(group = %GroupId(group), %error, "its companions could not be begun"),
            }
        }
        Ok(begun)
    }
}

impl Store {
    pub(crate) async fn told_to_companion(&self, run: RunId) -> Result<Option<Told>> {
        let Some(run) = self.run(run).await?.filter(|run| run.run_type == RunType::SleepTime) else { return Ok(None) };
        let main =
            run.metadata.get("primary_agent_id").and_then(Json::as_str).and_then(|id| id.parse::<AgentId>().ok());
        let (Some(main), Some(message)) = (main, run.input.messages.first()) else { return Ok(None) };
        let embedding: Option<RawJson> = sqlx::query_scalar("SELECT embedding FROM agents WHERE id = $1")
            .bind(main.0)
            .fetch_optional(&self.pool)
            .await
            .map_err(db)?;
        let Some(embedding) = embedding else { return Ok(None) };
        let embedding = embedding.parse("agents", "embedding", main)?;
        Ok(Some(Told { main, embedding, text: parts_text(&message.content) }))
    }

    async fn begin_for_voice_group(&self, group: Uuid, now: Time, ids: &dyn Ids) -> Result<Vec<Begun>> {
        let mut tx = self.pool.begin().await.map_err(db)?;
        // A statement of its own, so that the next ones see what the former holder of the lock has done.
        let locked = sqlx::query("SELECT FROM group_sleep WHERE group_id = $1 FOR NO KEY UPDATE SKIP LOCKED")
            .bind(group)
            .fetch_optional(&mut *tx)
            .await
            .map_err(db)?;
        if locked.is_none() {
            return Ok(Vec::new());
        }
        let begun = begin(&mut tx, group, now, ids).await?;
        tx.commit().await.map_err(db)?;
        Ok(begun)
    }
}

/// One run of each companion, for all that has left; and the mark up to where that goes.
async fn begin(conn: &mut PgConnection, group: Uuid, now: Time, ids: &dyn Ids) -> Result<Vec<Begun>> {
    let Some(leaving) = leaving(conn, group).await? else { return Ok(Vec::new()) };
    let messages = messages(conn, &leaving).await?;
    let lines = transcript::lines(&messages);
    let last = messages.last().map(|message| message.id);
    let mut begun = Vec::new();
    // Heartbeats and the like are nothing to work on.
    if let Some(last) = last.filter(|_| !lines.is_empty()) {
        let task = Task {
            group: GroupId(group),
            main: AgentId(leaving.manager_agent_id),
            text: transcript::for_voice(&lines),
            last: Some(last),
            // Not a place in the conversation: those come again when it is emptied.
            name: last.to_string(),
        };
        begun = super::tell(conn, &leaving.companions, &task, now, ids).await?;
    }
    sqlx::query(
        "UPDATE group_sleep SET evicted_seq = $2, last_processed_message_id = coalesce($3, last_processed_message_id)
         WHERE group_id = $1",
    )
    .bind(group)
    .bind(leaving.left)
    .bind(last.map(|id| id.0))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(begun)
}

async fn leaving(conn: &mut PgConnection, group: Uuid) -> Result<Option<Leaving>> {
    sqlx::query_as(concat!(
        "SELECT g.manager_agent_id, g.evicted_seq AS told, ",
        left!(),
        " AS left, ARRAY(SELECT ga.agent_id FROM group_agents ga
                         WHERE ga.group_id = g.group_id AND ga.agent_id <> g.manager_agent_id
                         ORDER BY ga.position) AS companions
         FROM group_sleep g JOIN conversations c ON c.id = g.manager_agent_id
         WHERE g.group_id = $1 AND g.manager_type = 'voice_sleeptime' AND g.evicted_seq < ",
        left!(),
    ))
    .bind(group)
    .fetch_optional(conn)
    .await
    .map_err(db)
}

/// What was said in the agent's turns, and not its first messages.
async fn messages(conn: &mut PgConnection, leaving: &Leaving) -> Result<Vec<Message>> {
    let rows = sqlx::query_as::<_, MessageRow>(concat!(
        "SELECT ",
        message_columns!(),
        " FROM messages m
          WHERE m.conversation_id = $1 AND m.seq >= $2 AND m.seq < $3 AND m.run_id IS NOT NULL
          ORDER BY m.seq DESC LIMIT $4"
    ))
    .bind(leaving.manager_agent_id)
    .bind(leaving.told)
    .bind(leaving.left)
    .bind(MOST_MESSAGES)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.into_iter().rev().map(Message::try_from).collect()
}
