//! Endpoints of conversations. The literal id `default` (with the agent in `agent_id`) and an agent's id
//! address that agent's own history.

pub mod cancel;
pub mod create;
pub mod delete;
pub mod fork;
pub mod list;
pub mod maintain;
pub mod messages;
pub mod modify;
pub mod retrieve;
pub mod stream;

use engram_domain::{AgentId, Conversation};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use crate::app::App;
use crate::http::{
    ApiError,
    dto::conversations::{ConversationDto, conversation_id},
};

/// Names the agent where the conversation is `default`.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct AgentQuery {
    /// The agent, where the conversation is `default`.
    #[param(value_type = Option<String>)]
    pub agent_id: Option<AgentId>,
}

/// Reads an agent's id out of a body, where it is optional.
pub fn agent_of(id: Option<&str>) -> Result<Option<AgentId>, ApiError> {
    id.map(|id| {
        id.parse().map_err(|e: engram_domain::BadId| ApiError::invalid(&["body", "agent_id"], e.to_string(), json!(id)))
    })
    .transpose()
}

/// A conversation that must exist.
pub async fn find(app: &App, id: &str, agent: Option<AgentId>) -> Result<Conversation, ApiError> {
    let conversation = conversation_id(id, agent)?;
    app.store.conversation(conversation).await?.ok_or_else(|| ApiError::not_found("Conversation", id))
}

/// With the ids of the messages in its context.
pub async fn show(app: &App, conversation: Conversation) -> Result<ConversationDto, ApiError> {
    let mut context = app.store.context_message_ids(&[conversation.id]).await?;
    let ids = context.remove(&conversation.id).unwrap_or_default();
    Ok(ConversationDto::new(conversation, &ids))
}
