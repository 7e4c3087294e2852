//! What a group's companions wait for (`group_sleep`): written with the group, read with it.

use engram_core::schedule;
use engram_domain::{Group, Time};
use sqlx::PgConnection;

use crate::{
    Result, StoreError,
    error::db,
    rows::{ManagerColumns, WhenRow},
};

/// Inserts the row of a group whose manager has companions, or that counts turns for another reason; the others have
/// none.
pub(super) async fn insert(conn: &mut PgConnection, g: &Group) -> Result<()> {
    let counts = g.turns_counter.is_some() || g.last_processed_message_id.is_some();
    if !g.manager.manager_type().is_sleeptime() && !counts {
        return Ok(());
    }
    let manager = ManagerColumns::from(&g.manager);
    let when = manager.when.map(WhenRow::from).unwrap_or_default();
    sqlx::query(
        "INSERT INTO group_sleep (group_id, manager_type, manager_agent_id, sleeptime_agent_frequency, \
         max_message_buffer_length, min_message_buffer_length, turns_counter, last_processed_message_id, idle_ms, \
         kind, cron, timezone, every_seconds, next_sleep_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(g.id.0)
    .bind(g.manager.manager_type().as_str())
    .bind(manager.manager_agent_id)
    .bind(manager.frequency)
    .bind(manager.max_buffer)
    .bind(manager.min_buffer)
    .bind(g.turns_counter)
    .bind(g.last_processed_message_id.map(|m| m.0))
    .bind(manager.idle_ms)
    .bind(when.kind)
    .bind(when.cron)
    .bind(when.timezone)
    .bind(when.every_seconds)
    .bind(first_time(&manager, g.created_at)?)
    .bind(g.updated_at)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Makes the row what the changed group says. Where the companions have come is not touched.
pub(super) async fn update(conn: &mut PgConnection, before: &Group, g: &Group) -> Result<()> {
    let manager = ManagerColumns::from(&g.manager);
    let when = manager.when.map(WhenRow::from).unwrap_or_default();
    // A clock that stays as it is keeps its beat.
    let anew = manager.when != ManagerColumns::from(&before.manager).when;
    sqlx::query(
        "UPDATE group_sleep SET manager_type = $2, manager_agent_id = $3, sleeptime_agent_frequency = $4, \
         max_message_buffer_length = $5, min_message_buffer_length = $6, turns_counter = $7, idle_ms = $8, \
         kind = $9, cron = $10, timezone = $11, every_seconds = $12, \
         next_sleep_at = CASE WHEN $13 THEN $14 ELSE next_sleep_at END, updated_at = $15 WHERE group_id = $1",
    )
    .bind(g.id.0)
    .bind(g.manager.manager_type().as_str())
    .bind(manager.manager_agent_id)
    .bind(manager.frequency)
    .bind(manager.max_buffer)
    .bind(manager.min_buffer)
    .bind(g.turns_counter)
    .bind(manager.idle_ms)
    .bind(when.kind)
    .bind(when.cron)
    .bind(when.timezone)
    .bind(when.every_seconds)
    .bind(anew)
    .bind(if anew { first_time(&manager, g.updated_at)? } else { None })
    .bind(g.updated_at)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// When a group's own clock calls its companions for the first time.
fn first_time(manager: &ManagerColumns<'_>, now: Time) -> Result<Option<Time>> {
    let first = manager.when.map(|when| schedule::first(when, now)).transpose();
    first.map_err(|error| StoreError::Invalid(error.to_string()))
}
