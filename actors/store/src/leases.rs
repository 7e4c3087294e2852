//! Who may write to a conversation. Leases go by the database's clock, and only decide who *may
//! try*: what keeps a conversation safe is the epoch, which every commit checks.

use std::time::Duration;

use async_trait::async_trait;
use engram_core::ports::{Fence, Leases, Owner};
use engram_domain::{ConversationId, NodeId, RunId, RunOwner, StopReason, Time};
use uuid::Uuid;

use crate::{Result, Store, accept::peer, error::db, runs};

/// How long other nodes believe in one that says nothing.
pub const LEASE: Duration = Duration::from_secs(3);

/// The condition that a node `n` is alive: heard of within [`LEASE`], which is some heartbeats, and
/// not retired. One that drains is alive: it owns what it has not given back yet.
macro_rules! alive {
    () => {
        "NOT n.retired AND n.seen_at > now() - interval '3 seconds'"
    };
}
pub(crate) use alive;

/// Ids of nodes that are alive.
macro_rules! live_nodes {
    () => {
        concat!("SELECT n.id FROM nodes n WHERE ", alive!())
    };
}

#[async_trait]
impl Leases for Store {
    /// The epoch grows even when it was ours: an actor of this node that died
    /// without a word must not commit beside its successor.
    async fn claim(&self, id: ConversationId, node: NodeId) -> Result<Option<Fence>> {
        let epoch: Option<i64> = sqlx::query_scalar(concat!(
            "UPDATE conversations SET owner = $2, epoch = epoch + 1
             WHERE id = $1 AND (owner IS NULL OR owner = $2 OR owner NOT IN (",
            live_nodes!(),
            ")) RETURNING epoch"
        ))
        .bind(id.0)
        .bind(node.0)
        .fetch_optional(&self.pool)
        .await
        .map_err(db)?;
        Ok(epoch.map(|epoch| Fence { conversation_id: id, epoch }))
    }

    async fn holds(&self, fence: Fence) -> Result<bool> {
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM conversations WHERE id = $1 AND epoch = $2)")
            .bind(fence.conversation_id.0)
            .bind(fence.epoch)
            .fetch_one(&self.pool)
            .await
            .map_err(db)
    }

    async fn release(&self, fence: Fence) -> Result<()> {
        sqlx::query("UPDATE conversations SET owner = NULL WHERE id = $1 AND epoch = $2")
            .bind(fence.conversation_id.0)
            .bind(fence.epoch)
            .execute(&self.pool)
            .await
            .map_err(db)?;
        Ok(())
    }

    async fn owner(&self, owner: RunOwner, node: NodeId) -> Result<Owner> {
        #[derive(sqlx::FromRow)]
        struct Row {
            mine: bool,
            id: Option<Uuid>,
            url: Option<String>,
            secret: Option<String>,
        }
        macro_rules! owner_in {
            ($table:literal) => {
                concat!(
                    "SELECT o.owner IS NOT DISTINCT FROM $2 AS mine, n.id, n.url, n.secret FROM ",
                    $table,
                    " o LEFT JOIN nodes n ON n.id = o.owner AND ",
                    alive!(),
                    " WHERE o.id = $1"
                )
            };
        }
        let (sql, id) = match owner {
            RunOwner::Conversation(id) => (owner_in!("conversations"), id.0),
            RunOwner::Group(id) => (owner_in!("groups"), id.0),
        };
        let row: Option<Row> =
            sqlx::query_as(sql).bind(id).bind(node.0).fetch_optional(&self.pool).await.map_err(db)?;
        Ok(match row {
            None => Owner::Gone,
            Some(row) if row.mine => Owner::Me,
            Some(row) => peer(row.id, row.url, row.secret).map_or(Owner::Nobody, Owner::Peer),
        })
    }

    /// The conversation's row is locked first, as by a commit, so of the two one waits for the other.
    async fn revoke(&self, run: RunId, stop_reason: StopReason, now: Time) -> Result<bool> {
        let mut tx = self.pool.begin().await.map_err(db)?;
        sqlx::query(
            "UPDATE conversations c SET owner = NULL, epoch = c.epoch + 1, updated_at = $3,
                 last_run_completion = $3, last_stop_reason = $2,
                 last_run_duration_ms = (extract(epoch FROM $3 - r.created_at) * 1000)::bigint
             FROM runs r WHERE r.id = $1 AND c.id = r.conversation_id AND r.status IN ('created', 'running')",
        )
        .bind(run.0)
        .bind(stop_reason.as_str())
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        let ended = runs::end(&mut *tx, run, stop_reason, None, now).await?;
        if ended {
            tx.commit().await.map_err(db)?;
        } else {
            tx.rollback().await.map_err(db)?;
        }
        Ok(ended)
    }

    /// A run whose conversation was deleted in the moment it was sent to is among them, so that somebody ends it.
    async fn orphaned(&self, node: NodeId, limit: i64) -> Result<Vec<ConversationId>> {
        let ids = sqlx::query_scalar(concat!(
            "SELECT r.conversation_id FROM runs r LEFT JOIN conversations c ON c.id = r.conversation_id
             WHERE r.status IN ('created', 'running') AND r.conversation_id IS NOT NULL
               AND (c.owner IS NULL OR c.owner <> $1 AND c.owner NOT IN (",
            live_nodes!(),
            ")) GROUP BY r.conversation_id ORDER BY min(r.created_at) LIMIT $2"
        ))
        .bind(node.0)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        Ok(ids.into_iter().map(ConversationId).collect())
    }

    async fn waiting(&self, node: NodeId, limit: i64) -> Result<Vec<(ConversationId, RunId)>> {
        let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
            "SELECT r.conversation_id, r.id FROM runs r JOIN conversations c ON c.id = r.conversation_id
             WHERE r.status IN ('created', 'running') AND r.status = 'created'
               AND least(r.created_at, r.accepted_at) < now() - interval '2 seconds' AND c.owner = $1
             ORDER BY r.created_at, r.id LIMIT $2",
        )
        .bind(node.0)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        Ok(rows.into_iter().map(|(conversation, run)| (conversation.into(), run.into())).collect())
    }
}
