//! What a group's companions wait for (`group_sleep`): written with the group, read with it.

use engram_core::schedule;
use engram_domain::{Group, ManagerConfig, Time};
use sqlx::PgConnection;

use crate::{Result, StoreError, error::db, rows::ManagerColumns};

/// Makes the row what the group says, `before` being the group as it was, if it was there. Groups whose manager has no
/// companions have no row, unless they count turns for another reason. Where the companions have come is kept.
pub(super) async fn write(conn: &mut PgConnection, before: Option<&Group>, g: &Group) -> Result<()> {
    let counts = g.turns_counter.is_some() || g.last_processed_message_id.is_some();
    if !g.manager.manager_type().is_sleeptime() && !counts {
        return Ok(());
    }
    // Times that stay as they are go on from where they are.
    let is_new = before.is_none_or(|before| before.manager.times() != g.manager.times());
    let next = if is_new { first_time(&g.manager, g.updated_at)? } else { None };
    let query = sqlx::query(
        "INSERT INTO group_sleep AS s (manager_type, manager_agent_id, sleeptime_agent_frequency, \
         max_message_buffer_length, min_message_buffer_length, idle_ms, kind, scheduled_at, cron, timezone, \
         every_seconds, group_id, turns_counter, last_processed_message_id, next_sleep_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
         ON CONFLICT (group_id) DO UPDATE SET manager_type = $1, manager_agent_id = $2, \
         sleeptime_agent_frequency = $3, max_message_buffer_length = $4, min_message_buffer_length = $5, idle_ms = $6, \
         kind = $7, scheduled_at = $8, cron = $9, timezone = $10, every_seconds = $11, turns_counter = $13, \
         next_sleep_at = CASE WHEN $17 THEN $15 ELSE s.next_sleep_at END, updated_at = $16",
    );
    ManagerColumns::from(&g.manager)
        .bind_sleep(query)
        .bind(g.id.0)
        .bind(g.turns_counter)
        .bind(g.last_processed_message_id.map(|m| m.0))
        .bind(next)
        .bind(g.updated_at)
        .bind(is_new)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(())
}

/// The first time at which the companions work, where there are times.
fn first_time(manager: &ManagerConfig, now: Time) -> Result<Option<Time>> {
    let first = manager.times().map(|when| schedule::first(when, now)).transpose();
    first.map_err(|error| StoreError::Invalid(error.to_string()))
}
