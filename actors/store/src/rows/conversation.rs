//! `conversations`.

use engram_core::ports::store::PromptMeta;
use engram_domain::{BlockId, Conversation, Time};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    StoreError,
    json::{RawJson, parse_opt},
};

/// Columns of [`ConversationRow`], for `FROM conversations c`.
macro_rules! conversation_columns {
    () => {
        "c.id, c.agent_id, c.summary, c.isolated_block_ids, c.model, c.model_settings, c.system_message_id, \
         c.summary_message_id, c.context_from, c.next_seq, c.prompt_meta, c.last_message_at, c.created_at, c.updated_at"
    };
}
pub(crate) use conversation_columns;

#[derive(FromRow)]
pub(crate) struct ConversationRow {
    pub id: Uuid,
    agent_id: Uuid,
    summary: Option<String>,
    isolated_block_ids: Vec<Uuid>,
    model: Option<String>,
    model_settings: Option<RawJson>,
    system_message_id: Uuid,
    summary_message_id: Option<Uuid>,
    context_from: i64,
    next_seq: i64,
    prompt_meta: Option<RawJson>,
    last_message_at: Option<Time>,
    created_at: Time,
    updated_at: Time,
}

impl ConversationRow {
    /// What the compiled prompt's last section was made of. A note of an older version that can no
    /// longer be read counts as none: the prompt is then compiled anew.
    pub fn prompt_meta(&self) -> Option<PromptMeta> {
        self.prompt_meta.as_ref().and_then(|raw| serde_json::from_str(&raw.0).ok())
    }
}

impl TryFrom<ConversationRow> for Conversation {
    type Error = StoreError;

    fn try_from(row: ConversationRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            agent_id: row.agent_id.into(),
            summary: row.summary,
            isolated_block_ids: row.isolated_block_ids.into_iter().map(BlockId).collect(),
            model: row.model,
            model_settings: parse_opt(row.model_settings.as_ref(), "conversations", "model_settings", row.id)?,
            system_message_id: row.system_message_id.into(),
            summary_message_id: row.summary_message_id.map(Into::into),
            context_from: row.context_from,
            next_seq: row.next_seq,
            last_message_at: row.last_message_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}
