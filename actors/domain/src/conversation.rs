//! A conversation: one ordered history of one agent, with one writer.

use crate::{AgentId, BlockId, ConversationId, Json, MessageId, Time};

/// A conversation without its messages.
///
/// What the model sees is derived, not listed: the system message, the summary if there is one,
/// and every other message from `context_from` on. So a turn never rewrites a list of ids, and
/// compaction moves one number.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// Its id; the agent's UUID for the agent's default conversation.
    pub id: ConversationId,
    /// Whose it is.
    pub agent_id: AgentId,
    /// Free text that names it in lists.
    pub summary: Option<String>,
    /// Blocks whose values belong to this conversation alone.
    pub isolated_block_ids: Vec<BlockId>,
    /// Model handle that overrides the agent's.
    pub model: Option<String>,
    /// Settings that override the agent's.
    pub model_settings: Option<Json>,
    /// The message that holds the compiled system prompt.
    pub system_message_id: MessageId,
    /// The message that stands for everything before `context_from`.
    pub summary_message_id: Option<MessageId>,
    /// `seq` of the oldest message in context.
    pub context_from: i64,
    /// `seq` that the next message gets.
    pub next_seq: i64,
    /// When a message was last added.
    pub last_message_at: Option<Time>,
    /// When it was created.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

impl Conversation {
    /// Whether this is the agent's own history.
    pub fn is_default(&self) -> bool {
        self.id.0 == self.agent_id.0
    }
}
