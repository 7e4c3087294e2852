//! Sleep-time companions: after every so many committed turns of an agent they are told what was said, and work it
//! into its memory. A group may also wish for that when its agent has been idle for a while, or at times: then all
//! turns that are pending become one run, however few, and none where there are none.
//!
//! Turns are counted by the commit that ends them (`commit/turn.rs`). Here a group's row is locked, its companions'
//! runs are stored, and the turns they cover are marked as worked on, all in one transaction: for every full number of
//! turns exactly one run of each companion, however often and wherever this is asked, and whatever crashes. A time of
//! the group's own is moved to the next one in the same transaction.
//!
//! A turn is a run in the agent's own conversation that was completed. None are: a run that failed or was cancelled,
//! one that only waits for an approval, and what a companion does here, so that two agents that look after each other
//! come to rest. The turns that are due are the latest ones: what was said before the group was there, or before the
//! conversation was emptied, is nobody's.

use async_trait::async_trait;
use chrono::TimeDelta;
use engram_core::{
    ports::{Ids, SleepTime, store::Begun},
    schedule, transcript,
};
use engram_domain::{AgentId, GroupId, Message, MessageId, RunType, Time};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Task;
use crate::{
    Result, Store, StoreError,
    error::db,
    rows::{MessageRow, WhenRow, message_columns, when_columns},
};

/// Messages of the agent that one run is told of at most: the latest.
pub(super) const MOST_MESSAGES: i64 = 2_000;

#[derive(FromRow)]
struct DueGroup {
    id: Uuid,
    manager_agent_id: Uuid,
    /// None where turns are not what the companions wait for.
    frequency: Option<i64>,
    /// Turns that they were not told of.
    pending: i64,
    worked: i64,
    last: Option<Uuid>,
    companions: Vec<Uuid>,
    /// Whether the agent has been idle for so long as the group wishes.
    idle: bool,
    /// The group's own time, where that has come.
    due_at: Option<Time>,
    #[sqlx(flatten)]
    when: WhenRow,
}

/// What a group's companions wait for besides a number of turns.
macro_rules! idle {
    () => {
        // Seldom more than a few groups have turns pending, so this is looked up for few.
        "coalesce(g.idle_ms IS NOT NULL AND g.turns_counter + 1 > g.turns_worked
             AND NOT EXISTS (SELECT FROM runs r WHERE r.conversation_id = g.manager_agent_id
                             AND r.status IN ('created', 'running'))
             AND EXISTS (SELECT FROM conversations c WHERE c.id = g.manager_agent_id
                         AND greatest(c.last_run_completion, c.last_message_at)
                             <= least($2, now()) - g.idle_ms * interval '1 millisecond'), false)"
    };
}

/// After how many turns the companions work; null where a group only has other wishes.
macro_rules! frequency {
    () => {
        "(CASE WHEN g.sleeptime_agent_frequency IS NOT NULL OR g.idle_ms IS NULL AND g.kind IS NULL
               THEN greatest(coalesce(g.sleeptime_agent_frequency, 1), 1) END)::bigint"
    };
}

/// Groups that are due, a few for each reason. The reasons are asked for one by one and in the words of their indexes
/// (`migrations/0004_groups.sql`), because all of them in one condition would look at every group. One is begun at a
/// time, so a few are enough: they are only more than one because other nodes may have them locked.
macro_rules! due {
    () => {
        concat!(
            "(SELECT g.group_id FROM group_sleep g
              WHERE g.manager_type = 'sleeptime' AND g.group_id <> ALL($1)
                AND g.turns_counter + 1 - g.turns_worked >= ",
            frequency!(),
            " ORDER BY g.updated_at LIMIT 64)
             UNION ALL
             (SELECT g.group_id FROM group_sleep g
              WHERE g.manager_type = 'sleeptime' AND g.group_id <> ALL($1) AND g.next_sleep_at <= least($2, now())
              ORDER BY g.next_sleep_at LIMIT 64)
             UNION ALL
             (SELECT g.group_id FROM group_sleep g
              WHERE g.manager_type = 'sleeptime' AND g.group_id <> ALL($1)
                AND g.idle_ms IS NOT NULL AND g.turns_counter + 1 > g.turns_worked AND ",
            idle!(),
            " ORDER BY g.updated_at LIMIT 64)"
        )
    };
}

#[async_trait]
impl SleepTime for Store {
    async fn begin_sleep_time(&self, now: Time, limit: i64, ids: &dyn Ids) -> Result<Vec<Begun>> {
        let (mut begun, mut passed_over) = (Vec::new(), Vec::new());
        while let Some(left) = limit.checked_sub(count(&begun)).filter(|left| *left > 0) {
            match self.begin_for_one_group(now, left, &passed_over, ids).await? {
                Some((_, Ok(more))) => begun.extend(more),
                // It must not keep the others waiting.
                Some((group, Err(error))) => {
                    tracing::error!(group = %GroupId(group), %error, "its companions could not be begun");
                    passed_over.push(group);
                }
                None => break,
            }
        }
        Ok(begun)
    }
}

impl Store {
    /// One group in one transaction; none when no group is due. The inner error is that group's own.
    async fn begin_for_one_group(
        &self,
        now: Time,
        limit: i64,
        passed_over: &[Uuid],
        ids: &dyn Ids,
    ) -> Result<Option<(Uuid, Result<Vec<Begun>>)>> {
        let mut tx = self.pool.begin().await.map_err(db)?;
        let group = sqlx::query_as::<_, DueGroup>(concat!(
            "SELECT g.group_id AS id, g.manager_agent_id, coalesce(g.turns_counter + 1 - g.turns_worked, 0) AS pending,
                    g.turns_worked AS worked, g.last_processed_message_id AS last, ",
            when_columns!("g"),
            ", CASE WHEN g.next_sleep_at <= least($2, now()) THEN g.next_sleep_at END AS due_at, ",
            frequency!(),
            " AS frequency, ",
            idle!(),
            " AS idle, ARRAY(SELECT ga.agent_id FROM group_agents ga
                          WHERE ga.group_id = g.group_id AND ga.agent_id <> g.manager_agent_id
                          ORDER BY ga.position) AS companions
             FROM group_sleep g
             WHERE g.manager_type = 'sleeptime' AND g.group_id IN (",
            due!(),
            // Once more, of the row as it is when it is locked.
            ") AND (g.turns_counter + 1 - g.turns_worked >= ",
            frequency!(),
            " OR g.next_sleep_at <= least($2, now()) OR ",
            idle!(),
            ") ORDER BY g.updated_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED"
        ))
        .bind(passed_over)
        .bind(now)
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        let Some(mut group) = group else { return Ok(None) };
        let id = group.id;
        Ok(match begin_all(&mut tx, &mut group, now, limit, ids).await {
            Ok(begun) => {
                tx.commit().await.map_err(db)?;
                Some((id, Ok(begun)))
            }
            Err(error @ (StoreError::Unavailable(_) | StoreError::Overloaded(_))) => return Err(error),
            Err(error) => {
                tx.rollback().await.map_err(db)?;
                Some((id, Err(error)))
            }
        })
    }
}

fn count(begun: &[Begun]) -> i64 {
    i64::try_from(begun.len()).unwrap_or(i64::MAX)
}

/// What is due in one group, until there are so many runs; and the mark up to where it has come.
async fn begin_all(
    conn: &mut PgConnection,
    group: &mut DueGroup,
    now: Time,
    limit: i64,
    ids: &dyn Ids,
) -> Result<Vec<Begun>> {
    let mut begun = Vec::new();
    // Each a moment later than the one before: a queue goes by the time of creation.
    let moment = |begun: &[Begun]| now + TimeDelta::microseconds(count(begun));
    while let Some(turns) = group.frequency.filter(|n| group.pending >= *n && count(&begun) < limit) {
        begun.extend(begin(conn, group, turns, moment(&begun), ids).await?);
    }
    // Where there was no room for all, the rest comes with the next look.
    let room = count(&begun) < limit;
    if room && group.pending > 0 && (group.idle || group.due_at.is_some()) {
        begun.extend(begin(conn, group, group.pending, moment(&begun), ids).await?);
    }
    let due_at = group.due_at.filter(|_| room);
    sqlx::query(
        "UPDATE group_sleep SET turns_worked = $2, last_processed_message_id = $3,
                next_sleep_at = CASE WHEN $4 THEN $5 ELSE next_sleep_at END WHERE group_id = $1",
    )
    .bind(group.id)
    .bind(group.worked)
    .bind(group.last)
    .bind(due_at.is_some())
    .bind(due_at.and_then(|due| next_time(group, due, now)))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(begun)
}

/// When a group's own clock calls again. One that cannot be read or reckoned with any more calls no more: it must not
/// be looked at for ever.
fn next_time(group: &DueGroup, due: Time, now: Time) -> Option<Time> {
    let id = GroupId(group.id);
    match group.when.clone().some("group_sleep", group.id) {
        Ok(Some(when)) => schedule::following(&when, due, now).unwrap_or_else(|error| {
            tracing::error!(group = %id, %error, "its companions have no next time");
            None
        }),
        Ok(None) => None,
        Err(error) => {
            tracing::error!(group = %id, %error, "the times of its companions cannot be read");
            None
        }
    }
}

/// One run of each companion, for the next so many turns.
async fn begin(
    conn: &mut PgConnection,
    group: &mut DueGroup,
    turns: i64,
    now: Time,
    ids: &dyn Ids,
) -> Result<Vec<Begun>> {
    let messages = unworked(conn, group, turns).await?;
    group.last = messages.last().map(|message| message.id.0).or(group.last);
    group.worked += turns;
    group.pending -= turns;
    let task = Task {
        group: GroupId(group.id),
        main: AgentId(group.manager_agent_id),
        text: transcript::for_sleep(&transcript::lines(&messages)),
        last: group.last.map(MessageId),
        name: group.worked.to_string(),
    };
    super::tell(conn, &group.companions, &task, now, ids).await
}

/// Messages of the agent since the last one that was worked on, or where that is not known since the turn before the first
/// that is pending, up to the end of the last of the so many turns that are to be worked on now.
///
/// A conversation that was emptied gives the same places to other messages, so a turn's messages are those in its range
/// that name its run.
async fn unworked(conn: &mut PgConnection, group: &DueGroup, turns: i64) -> Result<Vec<Message>> {
    let rows = sqlx::query_as::<_, MessageRow>(concat!(
        "WITH turns AS (
            SELECT r.id, r.first_seq, r.end_seq, row_number() OVER (ORDER BY r.created_at DESC, r.id DESC) > $4 + $3
                   AS before
            FROM runs r
            WHERE r.agent_id = $1 AND r.conversation_id = $1 AND r.status = 'completed'
              AND r.stop_reason <> 'requires_approval' AND r.run_type <> $6
            ORDER BY r.created_at DESC, r.id DESC LIMIT $3 + 1 OFFSET $4
        ), said AS (
            SELECT max(m.seq) FILTER (WHERE t.before) AS before, max(m.seq) FILTER (WHERE NOT t.before) AS last
            FROM turns t
            JOIN messages m ON m.conversation_id = $1 AND m.seq >= t.first_seq AND m.seq < t.end_seq
                           AND m.run_id = t.id
        )
        SELECT ",
        message_columns!(),
        " FROM messages m, said
          WHERE m.conversation_id = $1 AND m.seq <= said.last AND m.run_id IS NOT NULL AND m.seq > coalesce(
            (SELECT l.seq FROM messages l WHERE l.id = $2 AND l.conversation_id = $1), said.before, -1)
          ORDER BY m.seq DESC LIMIT $5"
    ))
    .bind(group.manager_agent_id)
    .bind(group.last)
    .bind(turns)
    .bind(group.pending - turns)
    .bind(MOST_MESSAGES)
    .bind(RunType::SleepTime.as_str())
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.into_iter().rev().map(Message::try_from).collect()
}
