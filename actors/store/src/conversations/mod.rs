//! Conversations and what is in their context.
//!
//! Invariants: an agent's default conversation has the agent's id, is created and deleted with the
//! agent, and is in no list here. A conversation's first message is its compiled prompt, `seq` 0.

mod create;
mod fork;
mod list;
mod modify;

use std::collections::HashMap;

use engram_domain::{Conversation, ConversationId, MessageId};
use uuid::Uuid;

pub use create::NewConversation;
pub use list::{ConversationFilter, ConversationSort};
pub use modify::ConversationPatch;

use crate::{
    Result, ScopedStore,
    error::db,
    rows::{ConversationRow, conversation_columns},
};

impl ScopedStore {
    /// A conversation without its messages.
    pub async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>> {
        sqlx::query_as::<_, ConversationRow>(concat!(
            "SELECT ",
            conversation_columns!(),
            " FROM conversations c WHERE c.id = $1 AND c.organization_id = coalesce($2, c.organization_id)"
        ))
        .bind(id.0)
        .bind(self.org())
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?
        .map(Conversation::try_from)
        .transpose()
    }

    /// Ids of the messages in context, for several conversations at once: the system message, the
    /// summary, the rest by `seq`, without summaries of earlier compactions.
    pub async fn context_message_ids(
        &self,
        conversations: &[ConversationId],
    ) -> Result<HashMap<ConversationId, Vec<MessageId>>> {
        let ids: Vec<Uuid> = conversations.iter().map(|id| id.0).collect();
        // One index range a conversation: a join on `seq >= context_from OR id IN (…)` would read
        // every message of the history.
        let rows: Vec<(Uuid, Vec<Uuid>)> = sqlx::query_as(
            "SELECT c.id, array_remove(ARRAY[c.system_message_id, c.summary_message_id], NULL) || ARRAY(
                SELECT m.id FROM messages m WHERE m.conversation_id = c.id AND m.seq >= c.context_from
                AND m.id <> c.system_message_id AND m.id IS DISTINCT FROM c.summary_message_id
                AND m.role <> 'summary' ORDER BY m.seq
             ) FROM conversations c WHERE c.id = ANY($1) AND c.organization_id = coalesce($2, c.organization_id)",
        )
        .bind(ids)
        .bind(self.org())
        .fetch_all(&self.store.queries)
        .await
        .map_err(db)?;
        let of =
            |(id, messages): (Uuid, Vec<Uuid>)| (ConversationId(id), messages.into_iter().map(MessageId).collect());
        Ok(rows.into_iter().map(of).collect())
    }
}
