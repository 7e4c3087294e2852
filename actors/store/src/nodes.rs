//! Processes that share the database: each has a row, and keeps it fresh as long as it lives.

use async_trait::async_trait;
use engram_core::ports::{NodeInfo, NodeStatus, Nodes, Peer};
use engram_domain::{NodeId, Time};
use uuid::Uuid;

use crate::{Result, Store, error::db, leases::alive};

/// A node as an administrator sees it. What it wants to be presented is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct NodeRow {
    /// Which incarnation.
    #[sqlx(try_from = "Uuid")]
    pub id: NodeId,
    /// Address and machine.
    pub name: String,
    /// Where other nodes reach it.
    pub url: String,
    /// The program's version.
    pub version: String,
    /// When it was first heard of.
    pub started_at: Time,
    /// When it was last heard of.
    pub seen_at: Time,
    /// Agents that live there.
    pub live: i64,
    /// It takes nothing new and gives back what it has.
    pub draining: bool,
    /// It has said goodbye, or its successor has.
    pub retired: bool,
    /// Whether its conversations are its own.
    pub alive: bool,
    /// Conversations that it claimed last. Those of a node that is not alive are free.
    pub conversations: i64,
}

#[async_trait]
impl Nodes for Store {
    /// With its first heartbeat a node retires the nodes that had its name before:
    /// a process that starts again does not wait for its own old lease to end. Should the other one be
    /// alive after all, its next heartbeat brings it back, and the epoch has kept the two apart
    /// meanwhile.
    async fn heartbeat(&self, node: &NodeInfo, status: NodeStatus) -> Result<()> {
        sqlx::query(
            "WITH mine AS (
                INSERT INTO nodes (id, name, url, secret, version, live, draining, started_at, seen_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, now(), now())
                ON CONFLICT (id) DO UPDATE SET name = $2, url = $3, secret = $4, version = $5, live = $6,
                                               draining = $7, seen_at = now(), retired = false
                RETURNING started_at = now() AS first
            ), forgotten AS (
                DELETE FROM nodes USING mine
                WHERE mine.first AND nodes.id <> $1 AND seen_at < now() - interval '1 day'
            )
            UPDATE nodes SET retired = true FROM mine
            WHERE mine.first AND nodes.name = $2 AND nodes.id <> $1 AND seen_at >= now() - interval '1 day'",
        )
        .bind(node.id.0)
        .bind(&node.name)
        .bind(&node.url)
        .bind(&node.secret)
        .bind(&node.version)
        .bind(status.live)
        .bind(status.draining)
        .execute(&self.heartbeats)
        .await
        .map_err(db)?;
        Ok(())
    }

    async fn retire(&self, node: NodeId) -> Result<()> {
        sqlx::query("UPDATE nodes SET retired = true WHERE id = $1")
            .bind(node.0)
            .execute(&self.pool)
            .await
            .map_err(db)?;
        Ok(())
    }

    async fn other_nodes(&self, node: NodeId) -> Result<Vec<Peer>> {
        let rows: Vec<(Uuid, String, String)> = sqlx::query_as(concat!(
            "SELECT n.id, n.url, n.secret FROM nodes n WHERE n.id <> $1 AND NOT n.draining AND ",
            alive!(),
            " ORDER BY n.started_at, n.id"
        ))
        .bind(node.0)
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        Ok(rows.into_iter().map(|(id, url, secret)| Peer { id: id.into(), url, secret }).collect())
    }
}

impl Store {
    /// All nodes of the last day, those that are alive first, then by age.
    pub async fn nodes(&self) -> Result<Vec<NodeRow>> {
        sqlx::query_as(concat!(
            "SELECT n.id, n.name, n.url, n.version, n.started_at, n.seen_at, n.live, n.draining, n.retired,
                    (",
            alive!(),
            ") AS alive, coalesce(owned.count, 0) AS conversations
             FROM nodes n
             LEFT JOIN (SELECT owner, count(*) AS count FROM conversations WHERE owner IS NOT NULL GROUP BY owner)
                    AS owned ON owned.owner = n.id
             ORDER BY alive DESC, n.started_at, n.id"
        ))
        .fetch_all(&self.queries)
        .await
        .map_err(db)
    }
}
