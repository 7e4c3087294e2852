//! Conversations on the wire.

use engram_domain::{AgentId, Conversation, ConversationId, Json, MessageId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    messages::letta::timestamp,
    owned::OwnedBy,
    patch::{Patch, present},
};
use crate::{app::conversations::ConversationSpec, http::error::ApiError};

/// A conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConversationDto {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub agent_id: String,
    /// Free text that names it in lists.
    pub summary: Option<String>,
    /// Messages in context.
    pub in_context_message_ids: Vec<String>,
    /// Blocks that belong to it alone.
    pub isolated_block_ids: Vec<String>,
    /// Model handle that overrides the agent's.
    pub model: Option<String>,
    /// Settings that override the agent's.
    #[schema(value_type = Option<Object>)]
    pub model_settings: Option<Json>,
    /// When a message was last added.
    pub last_message_at: Option<String>,
    /// When it was created.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
    /// Who created it.
    pub created_by_id: Option<String>,
    /// Who last changed it.
    pub last_updated_by_id: Option<String>,
}

impl ConversationDto {
    /// With the messages in its context.
    pub fn new(conversation: Conversation, context: &[MessageId], by: OwnedBy) -> Self {
        Self {
            id: conversation.id.to_string(),
            agent_id: conversation.agent_id.to_string(),
            summary: conversation.summary,
            in_context_message_ids: context.iter().map(MessageId::to_string).collect(),
            isolated_block_ids: conversation.isolated_block_ids.iter().map(ToString::to_string).collect(),
            model: conversation.model,
            model_settings: conversation.model_settings,
            last_message_at: conversation.last_message_at.map(timestamp),
            created_at: timestamp(conversation.created_at),
            updated_at: timestamp(conversation.updated_at),
            created_by_id: by.user(),
            last_updated_by_id: by.user(),
        }
    }
}

/// A conversation to create.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct CreateConversation {
    /// Free text that names it in lists.
    pub summary: Option<String>,
    /// Labels of blocks that it gets copies of, for itself.
    pub isolated_block_labels: Option<Vec<String>>,
    /// Model handle that overrides the agent's.
    pub model: Option<String>,
    /// Settings that override the agent's.
    #[schema(value_type = Option<Object>)]
    pub model_settings: Option<Json>,
}

impl From<CreateConversation> for ConversationSpec {
    fn from(r: CreateConversation) -> Self {
        Self {
            summary: r.summary,
            isolated_block_labels: r.isolated_block_labels.unwrap_or_default(),
            model: r.model,
            model_settings: r.model_settings,
        }
    }
}

/// Changes of a conversation. Absent members stay as they are, `null` clears a value.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct UpdateConversation {
    /// Free text that names it in lists.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub summary: Patch<String>,
    /// Model handle that overrides the agent's.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub model: Patch<String>,
    /// Settings that override the agent's.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<Object>)]
    pub model_settings: Patch<Json>,
    /// When a message was last added.
    #[schema(value_type = Option<String>)]
    pub last_message_at: Option<engram_domain::Time>,
}

/// The conversation that an id means.
pub fn conversation_id(id: &str, agent: Option<AgentId>) -> Result<ConversationId, ApiError> {
    if id == "default" {
        let missing =
            || ApiError::invalid(&["query", "agent_id"], "the conversation `default` needs an agent id", json!(null));
        return agent.map(AgentId::default_conversation).ok_or_else(missing);
    }
    if let Ok(agent) = id.parse::<AgentId>() {
        return Ok(agent.default_conversation());
    }
    id.parse().map_err(|_| {
        let expected = "expected `conv-<uuid>`, an agent id, or `default`";
        ApiError::invalid(&["path", "conversation_id"], expected, json!(id.chars().take(80).collect::<String>()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_has_three_names() {
        let agent: AgentId = "agent-123e4567-e89b-42d3-8456-426614174000".parse().expect("an id");
        let own = agent.default_conversation();
        assert_eq!(conversation_id("default", Some(agent)).expect("valid"), own);
        assert_eq!(conversation_id(&agent.to_string(), None).expect("valid"), own);
        assert_eq!(conversation_id(&own.to_string(), None).expect("valid"), own);
        assert!(conversation_id("default", None).is_err());
        assert!(conversation_id("conversation-1", None).is_err());
    }
}
