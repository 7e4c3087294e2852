//! Compaction of a conversation on the wire.

use engram_domain::CompactionSettings;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::messages::Compacted;

/// Settings of a compaction.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct CompactionRequest {
    /// Instead of the agent's own settings.
    #[schema(value_type = Option<Object>)]
    pub compaction_settings: Option<CompactionSettings>,
    /// The agent, where a conversation does not say it.
    pub agent_id: Option<String>,
}

/// What a compaction did.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CompactionResponse {
    /// What stands for the messages that left; empty when none had to.
    pub summary: String,
    /// Messages in context before.
    pub num_messages_before: usize,
    /// Messages in context after.
    pub num_messages_after: usize,
}

impl From<Compacted> for CompactionResponse {
    fn from(done: Compacted) -> Self {
        Self {
            summary: done.summary.unwrap_or_default(),
            num_messages_before: done.before,
            num_messages_after: done.after,
        }
    }
}
