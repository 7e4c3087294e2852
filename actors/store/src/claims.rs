//! Who may write to a conversation. Leases go by the database's clock, and only decide who *may
//! try*: what keeps a conversation safe is the epoch, which every commit checks.

use engram_core::ports::Fence;
use engram_domain::{ConversationId, NodeId};

use crate::{Result, Store, error::db};

/// Ids of nodes that are alive: heard of within ten seconds, which is several heartbeats, and not
/// retired.
macro_rules! live_nodes {
    () => {
        "SELECT n.id FROM nodes n WHERE NOT n.retired AND n.seen_at > now() - interval '10 seconds'"
    };
}

impl Store {
    /// Says that a node lives. With its first heartbeat it retires the nodes that had its address
    /// before: a process that starts again does not wait for its own old lease to end. Should the
    /// other one be alive after all, its next heartbeat brings it back, and the epoch has kept the
    /// two apart meanwhile.
    pub(crate) async fn heartbeat_node(&self, node: NodeId, url: &str) -> Result<()> {
        sqlx::query(
            "WITH mine AS (
                INSERT INTO nodes (id, url, seen_at) VALUES ($1, $2, now())
                ON CONFLICT (id) DO UPDATE SET url = $2, seen_at = now(), retired = false
                RETURNING xmax = 0 AS first
            ), forgotten AS (
                DELETE FROM nodes USING mine
                WHERE mine.first AND nodes.id <> $1 AND seen_at < now() - interval '1 day'
            )
            UPDATE nodes SET retired = true FROM mine
            WHERE mine.first AND nodes.url = $2 AND nodes.id <> $1 AND seen_at >= now() - interval '1 day'",
        )
        .bind(node.0)
        .bind(url)
        .execute(&self.pool)
        .await
        .map_err(db)?;
        Ok(())
    }

    /// Says that a node is gone.
    pub(crate) async fn retire_node(&self, node: NodeId) -> Result<()> {
        sqlx::query("UPDATE nodes SET retired = true WHERE id = $1")
            .bind(node.0)
            .execute(&self.pool)
            .await
            .map_err(db)?;
        Ok(())
    }

    /// Takes a conversation. The epoch grows even when it was ours: an actor of this node that died
    /// without a word must not commit beside its successor.
    pub(crate) async fn claim_conversation(&self, id: ConversationId, node: NodeId) -> Result<Option<Fence>> {
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

    /// Gives a conversation back, if it is still ours.
    pub(crate) async fn release_conversation(&self, fence: Fence) -> Result<()> {
        sqlx::query("UPDATE conversations SET owner = NULL WHERE id = $1 AND epoch = $2")
            .bind(fence.conversation_id.0)
            .bind(fence.epoch)
            .execute(&self.pool)
            .await
            .map_err(db)?;
        Ok(())
    }

    /// Conversations with open runs that neither `node` nor another live node owns. A run whose
    /// conversation was deleted in the moment it was sent to is among them, so that somebody ends it.
    pub(crate) async fn stranded_conversations(&self, node: NodeId, limit: i64) -> Result<Vec<ConversationId>> {
        let ids = sqlx::query_scalar(concat!(
            "SELECT r.conversation_id FROM runs r LEFT JOIN conversations c ON c.id = r.conversation_id
             WHERE r.status IN ('created', 'running')
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
}
