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

use crate::app::{self, App, conversations};
use crate::http::{
    ApiError,
    dto::{
        conversations::{ConversationDto, conversation_id},
        owned::OwnedBy,
    },
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

/// The error of a conversation that is not there, with the id that was asked for.
pub fn as_asked(id: &str, error: app::Error) -> ApiError {
    match error {
        app::Error::NotFound { what: what @ "Conversation", .. } => ApiError::not_found(what, id),
        error => error.into(),
    }
}

/// A conversation that must exist.
pub async fn find(app: &App, id: &str, agent: Option<AgentId>) -> Result<Conversation, ApiError> {
    conversations::find(app, conversation_id(id, agent)?).await.map_err(|error| as_asked(id, error))
}

/// With the ids of the messages in its context.
pub async fn show(app: &App, conversation: Conversation) -> Result<ConversationDto, ApiError> {
    let shown = show_all(app, vec![conversation]).await?.pop();
    shown.ok_or_else(|| ApiError::internal("a conversation was not shown"))
}

/// Several of them.
pub async fn show_all(app: &App, found: Vec<Conversation>) -> Result<Vec<ConversationDto>, ApiError> {
    let by = OwnedBy::of(app);
    let found = conversations::with_context(app, found).await?;
    Ok(found.into_iter().map(|(conversation, ids)| ConversationDto::new(conversation, &ids, by)).collect())
}
