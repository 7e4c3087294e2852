//! What a tool writes when a user runs it, outside a conversation.

use engram_core::ports::{Write, store::BlockWrite};
use engram_domain::{AgentId, Time};

use super::{blocks as block_writes, passages, send};
use crate::{Result, ScopedStore, StoreError, error::db};

impl ScopedStore {
    /// Applies the writes of a tool that the API ran for an agent: all of them or none. False when a
    /// block was changed by somebody else since it was read.
    pub async fn apply_tool_writes(
        &self,
        agent: AgentId,
        blocks: &[BlockWrite],
        writes: &[Write],
        now: Time,
    ) -> Result<bool> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        if !self.scope.covers(crate::agents::organization_of(&mut tx, agent).await?) {
            return Err(StoreError::Invalid("the agent does not exist".into()));
        }
        for write in writes {
            match write {
                Write::InsertPassage(passage, agent) => passages::insert(&mut tx, passage, *agent, now).await?,
                Write::Send(run) => send(&mut tx, run).await?,
            }
        }
        if !block_writes::apply(&mut tx, agent.default_conversation(), blocks, now).await? {
            return Ok(false);
        }
        tx.commit().await.map_err(db)?;
        Ok(true)
    }
}
