//! Creating a conversation with its first messages.

use engram_core::ports::store::PromptMeta;
use engram_domain::{AgentId, Block, Conversation, ConversationId, Json, Message, Scope, Time};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, ScopedStore, StoreError, commit::MessageColumns, error::db, json::AsJson};

/// All that becomes rows when a conversation is created.
#[derive(Debug, Clone)]
pub struct NewConversation {
    /// Its id.
    pub id: ConversationId,
    /// Whose it is.
    pub agent_id: AgentId,
    /// Free text that names it in lists.
    pub summary: Option<String>,
    /// Blocks that this conversation has for itself: copies of blocks of the agent, with ids of
    /// their own. Each stands in for the agent's block of the same label.
    pub isolated_blocks: Vec<Block>,
    /// Model handle that overrides the agent's.
    pub model: Option<String>,
    /// Settings that override the agent's.
    pub model_settings: Option<Json>,
    /// First messages, `seq` from 0; the first is the system prompt.
    pub messages: Vec<Message>,
    /// What the last section of that prompt was made of.
    pub prompt_meta: Option<PromptMeta>,
    /// Now.
    pub created_at: Time,
}

impl ScopedStore {
    /// Creates a conversation. The agent must exist ([`StoreError::Invalid`]).
    pub async fn create_conversation(&self, new: &NewConversation) -> Result<Conversation> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        let created = insert(&mut tx, self.scope, new, 1, None).await?;
        tx.commit().await.map_err(db)?;
        Ok(created)
    }
}

/// Inserts the blocks, the row and the messages, for the organization of the agent. `summary_seq` says which message is the summary of what came
/// before `context_from`.
pub(super) async fn insert(
    conn: &mut PgConnection,
    scope: Scope,
    new: &NewConversation,
    context_from: i64,
    summary_seq: Option<usize>,
) -> Result<Conversation> {
    let first = new.messages.first().ok_or_else(|| StoreError::Invalid("a conversation needs its prompt".into()))?;
    let conversation = Conversation {
        id: new.id,
        agent_id: new.agent_id,
        summary: new.summary.clone(),
        isolated_block_ids: new.isolated_blocks.iter().map(|b| b.id).collect(),
        model: new.model.clone(),
        model_settings: new.model_settings.clone(),
        system_message_id: first.id,
        summary_message_id: summary_seq.and_then(|i| new.messages.get(i)).map(|m| m.id),
        context_from,
        next_seq: i64::try_from(new.messages.len()).unwrap_or(i64::MAX),
        last_message_at: None,
        created_at: new.created_at,
        updated_at: new.created_at,
    };
    let organization = crate::agents::organization_of(&mut *conn, new.agent_id).await?;
    if !scope.covers(organization) {
        return Err(StoreError::Invalid("the agent does not exist".into()));
    }
    for block in &new.isolated_blocks {
        crate::blocks::insert(&mut *conn, organization, block).await?;
    }
    let isolated: Vec<Uuid> = conversation.isolated_block_ids.iter().map(|id| id.0).collect();
    sqlx::query(
        "INSERT INTO conversations (id, agent_id, summary, isolated_block_ids, model, model_settings,
             system_message_id, summary_message_id, context_from, next_seq, prompt_meta, created_at, updated_at,
             organization_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13)",
    )
    .bind(conversation.id.0)
    .bind(conversation.agent_id.0)
    .bind(&conversation.summary)
    .bind(isolated)
    .bind(&conversation.model)
    .bind(conversation.model_settings.as_ref().map(AsJson))
    .bind(conversation.system_message_id.0)
    .bind(conversation.summary_message_id.map(Uuid::from))
    .bind(conversation.context_from)
    .bind(conversation.next_seq)
    .bind(new.prompt_meta.as_ref().map(AsJson))
    .bind(conversation.created_at)
    .bind(organization.0)
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    MessageColumns::of(&new.messages)?.insert(conn, new.id.0, new.agent_id.0).await?;
    Ok(conversation)
}
