//! Agents that work passages into a block of another agent, and are gone when they have.
//!
//! Invariants: the block, the agent, its runs and the mark that it is ephemeral are stored in one transaction, so nothing
//! of it is ever there without the rest; whoever looks ([`EphemeralAgents::sweep_ephemeral`]) deletes one that has nothing left to do,
//! so no crash leaves one behind.

use async_trait::async_trait;
use chrono::TimeDelta;
use engram_core::ports::{EphemeralAgents, NewRun};
use engram_domain::{AgentId, Block, NodeId, Time};
use uuid::Uuid;

use super::{
    NewAgent,
    companion::{lock_with_companions, share},
    create::{attach_blocks, insert},
    organization_of, touch,
};
use crate::{Result, ScopedStore, Store, accept, again::again, error::db};

/// How long one whose run failed stays, so that somebody can read why.
const KEPT_AFTER_FAILURE: TimeDelta = TimeDelta::hours(1);

/// An agent that is to work something into a block.
#[derive(Debug, Clone)]
pub struct NewEphemeral {
    /// Whose block it is.
    pub main: AgentId,
    /// The block.
    pub block: Block,
    /// Whether the block is to be created and attached; else the agent has it.
    pub fresh: bool,
    /// Who works. It shares the block.
    pub agent: NewAgent,
    /// What it is told, in this order.
    pub runs: Vec<NewRun>,
}

impl ScopedStore {
    /// Stores all of it. False, and nothing is stored, when the agent is gone, or has meanwhile got or lost a block with
    /// this label: look again.
    pub async fn create_ephemeral(&self, new: &NewEphemeral, now: Time) -> Result<bool> {
        again(|| self.try_create_ephemeral(new, now)).await
    }

    async fn try_create_ephemeral(&self, new: &NewEphemeral, now: Time) -> Result<bool> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        let companions = lock_with_companions(&mut tx, new.main).await?;
        if !touch(&mut tx, self.scope, new.main, now).await? {
            return Ok(false);
        }
        let organization = organization_of(&mut tx, new.main).await?;
        let there: Option<Uuid> =
            sqlx::query_scalar("SELECT block_id FROM agent_blocks WHERE agent_id = $1 AND label = $2")
                .bind(new.main.0)
                .bind(&new.block.label)
                .fetch_optional(&mut *tx)
                .await
                .map_err(db)?;
        if there != (!new.fresh).then_some(new.block.id.0) {
            return Ok(false);
        }
        if new.fresh {
            crate::blocks::insert(&mut tx, organization, &new.block).await?;
            attach_blocks(&mut tx, new.main, &[(new.block.id, new.block.label.clone())]).await?;
            share(&mut tx, &companions, new.block.id.0, &new.block.label).await?;
        }
        insert(&mut tx, &self.store.vault, organization, &new.agent).await?;
        let own: Vec<Uuid> = new.agent.blocks.iter().map(|b| b.id.0).collect();
        sqlx::query(
            "INSERT INTO ephemeral_agents (agent_id, main_agent_id, own_blocks, created_at) VALUES ($1, $2, $3, $4)",
        )
        .bind(new.agent.agent.id.0)
        .bind(new.main.0)
        .bind(own)
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        for run in &new.runs {
            accept::insert(run, NodeId(Uuid::nil()), false, &mut *tx).await.map_err(db)?;
        }
        tx.commit().await.map_err(db)?;
        Ok(true)
    }
}

#[async_trait]
impl EphemeralAgents for Store {
    /// Those that have nothing left to do or whose main agent is gone go, with the blocks that nobody else has. One whose
    /// run failed stays for an hour.
    async fn sweep_ephemeral(&self, now: Time, limit: i64) -> Result<u64> {
        let done = sqlx::query(
            "WITH doomed AS (
                SELECT e.agent_id, e.own_blocks FROM ephemeral_agents e JOIN agents a ON a.id = e.agent_id
                WHERE NOT EXISTS (SELECT FROM agents m WHERE m.id = e.main_agent_id)
                   OR NOT EXISTS (
                        SELECT FROM runs r WHERE r.agent_id = e.agent_id
                          AND (r.status IN ('created', 'running') OR r.status = 'failed' AND r.updated_at > least($1, now() - interval '1 hour')))
                ORDER BY e.created_at LIMIT $2 FOR UPDATE OF a SKIP LOCKED
            ), tidied AS (
                DELETE FROM blocks b USING doomed d
                WHERE b.id = ANY(d.own_blocks)
                  AND NOT EXISTS (SELECT FROM agent_blocks ab WHERE ab.block_id = b.id AND ab.agent_id <> d.agent_id)
            )
            DELETE FROM agents WHERE id IN (SELECT agent_id FROM doomed)",
        )
        .bind(now - KEPT_AFTER_FAILURE)
        .bind(limit)
        .execute(&self.pool)
        .await
        .map_err(db)?;
        Ok(done.rows_affected())
    }
}
