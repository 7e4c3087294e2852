//! A second conversation that begins where another one is.

use std::sync::Arc;

use engram_core::ports::Ids;
use engram_domain::{Block, BlockId, Conversation, ConversationId, Message, MessageId, Time};

use super::{NewConversation, create};
use crate::{Result, ScopedStore, error::db};

impl ScopedStore {
    /// Copies a conversation's context (not its history) into a new one; messages and blocks of its
    /// own get new ids. None when there is no such conversation.
    pub async fn fork_conversation(
        &self,
        from: ConversationId,
        id: ConversationId,
        now: Time,
        ids: &dyn Ids,
    ) -> Result<Option<Conversation>> {
        let Some(loaded) = self.load(from).await? else { return Ok(None) };
        let source = loaded.conversation;
        let summary = source.summary_message_id.filter(|id| loaded.context.iter().any(|m| m.id == *id));
        let messages: Vec<Message> = (0_i64..)
            .zip(&loaded.context)
            .map(|(seq, m)| Message { id: MessageId(ids.uuid()), conversation_id: id, seq, ..Message::clone(m) })
            .collect();
        let isolated_blocks = loaded
            .snapshot
            .blocks
            .iter()
            .filter(|b| source.isolated_block_ids.contains(&b.id))
            .map(|b| copy(b, now, ids))
            .collect();
        let new = NewConversation {
            id,
            agent_id: source.agent_id,
            summary: source.summary,
            isolated_blocks,
            model: source.model,
            model_settings: source.model_settings,
            messages,
            prompt_meta: loaded.prompt_meta,
            created_at: now,
        };
        // The order of a loaded context: the system message, the summary, the rest.
        let (context_from, summary_seq) = if summary.is_some() { (2, Some(1)) } else { (1, None) };
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        let created = create::insert(&mut tx, self.scope, &new, context_from, summary_seq).await?;
        tx.commit().await.map_err(db)?;
        Ok(Some(created))
    }
}

fn copy(block: &Arc<Block>, now: Time, ids: &dyn Ids) -> Block {
    Block { id: BlockId(ids.uuid()), created_at: now, updated_at: now, version: 1, ..Block::clone(block) }
}
