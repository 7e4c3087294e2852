//! Changing and deleting conversations.

use engram_domain::{Conversation, ConversationId, Json, StopReason, Time};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::{
    Result, ScopedStore, agents,
    error::db,
    json::AsJson,
    rows::{ConversationRow, conversation_columns},
};

/// What changes. Absent members stay; `Some(None)` clears.
#[derive(Debug, Clone, Default)]
pub struct ConversationPatch {
    /// Free text that names it in lists.
    pub summary: Option<Option<String>>,
    /// Model handle that overrides the agent's.
    pub model: Option<Option<String>>,
    /// Settings that override the agent's.
    pub model_settings: Option<Option<Json>>,
    /// When a message was last added.
    pub last_message_at: Option<Time>,
}

impl ScopedStore {
    /// Changes a conversation. None when there is no such one.
    pub async fn update_conversation(
        &self,
        id: ConversationId,
        patch: &ConversationPatch,
        now: Time,
    ) -> Result<Option<Conversation>> {
        let mut q = QueryBuilder::new("UPDATE conversations c SET updated_at = ");
        q.push_bind(now);
        if let Some(summary) = &patch.summary {
            q.push(", summary = ").push_bind(summary);
        }
        if let Some(model) = &patch.model {
            q.push(", model = ").push_bind(model);
        }
        if let Some(settings) = &patch.model_settings {
            q.push(", model_settings = ").push_bind(settings.as_ref().map(AsJson));
        }
        if let Some(at) = patch.last_message_at {
            q.push(", last_message_at = ").push_bind(at);
        }
        q.push(" WHERE c.id = ").push_bind(id.0);
        self.push_scope(&mut q, "c.organization_id");
        q.push(concat!(" RETURNING ", conversation_columns!()));
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        let row: Option<ConversationRow> = q.build_query_as().fetch_optional(&mut *tx).await.map_err(db)?;
        let Some(row) = row else { return Ok(None) };
        let conversation = Conversation::try_from(row)?;
        if patch.model.is_some() || patch.model_settings.is_some() {
            agents::bump(&mut tx, &[conversation.agent_id.0]).await?;
        }
        tx.commit().await.map_err(db)?;
        Ok(Some(conversation))
    }

    /// Deletes a conversation with its messages and the blocks that were its own; its open runs end
    /// as cancelled. False when there is no such one. A default conversation goes only with its
    /// agent: for one this is false, too.
    pub async fn delete_conversation(&self, id: ConversationId, now: Time) -> Result<bool> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        let isolated: Option<Vec<Uuid>> = sqlx::query_scalar(
            "DELETE FROM conversations
             WHERE id = $1 AND id <> agent_id AND organization_id = coalesce($2, organization_id)
             RETURNING isolated_block_ids",
        )
        .bind(id.0)
        .bind(self.org())
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        let Some(isolated) = isolated else { return Ok(false) };
        sqlx::query("DELETE FROM blocks WHERE id = ANY($1) AND id NOT IN (SELECT block_id FROM agent_blocks)")
            .bind(isolated)
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        sqlx::query(
            "UPDATE runs SET status = $2, stop_reason = $3, updated_at = $4, completed_at = $4
             WHERE conversation_id = $1 AND status IN ('created', 'running')",
        )
        .bind(id.0)
        .bind(StopReason::Cancelled.status().as_str())
        .bind(StopReason::Cancelled.as_str())
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        tx.commit().await.map_err(db)?;
        Ok(true)
    }
}
