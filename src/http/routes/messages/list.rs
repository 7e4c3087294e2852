//! `GET /v1/agents/{agent_id}/messages`

use axum::Json;
use engram_domain::{AgentId, ConversationId, Message};
use engram_store::{Page, messages::MessageFilter};
use serde::Deserialize;
use utoipa::IntoParams;

use super::turn::page_error;
use crate::app::App;
use crate::http::{
    ApiError, ApiQuery, Caller, PageQuery, PathId,
    dto::messages::{LettaMessage, Options, letta_messages},
};

/// Which messages, and how to show them.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct MessageListQuery {
    /// Only those sent in this group.
    pub group_id: Option<String>,
    /// In this conversation instead of the agent's own history.
    pub conversation_id: Option<String>,
    /// The agent, where a conversation does not say it.
    pub agent_id: Option<String>,
    /// Whether a call of the tool that speaks is shown as the words it says.
    pub use_assistant_message: Option<bool>,
    /// The tool that speaks.
    pub assistant_message_tool_name: Option<String>,
    /// Its argument that holds the words.
    pub assistant_message_tool_kwarg: Option<String>,
    /// `false` leaves out messages that report a failure.
    pub include_err: Option<bool>,
    /// Only messages of these types.
    pub include_return_message_types: Option<Vec<String>>,
    /// Whether compactions are shown.
    pub include_compaction_messages: Option<bool>,
}

impl MessageListQuery {
    /// How to show them.
    pub fn options(&self) -> Options {
        let default = Options::default();
        Options {
            use_assistant_message: self.use_assistant_message.unwrap_or(default.use_assistant_message),
            assistant_message_tool_name: self
                .assistant_message_tool_name
                .clone()
                .unwrap_or(default.assistant_message_tool_name),
            assistant_message_tool_kwarg: self
                .assistant_message_tool_kwarg
                .clone()
                .unwrap_or(default.assistant_message_tool_kwarg),
            include_return_message_types: self.include_return_message_types.clone(),
            include_compaction_messages: self.include_compaction_messages.unwrap_or_default(),
        }
    }
}

/// List an agent's messages, oldest first: the newest ones, or with `order=asc` the oldest ones.
#[utoipa::path(
    get, path = "/v1/agents/{agent_id}/messages", tag = "agents.messages",
    params(("agent_id" = String, Path, description = "Id of the agent"), PageQuery, MessageListQuery),
    responses((status = 200, body = Vec<LettaMessage>), (status = 404, description = "No such agent or cursor"))
)]
pub async fn list_messages(
    app: App,
    PathId(agent_id): PathId<AgentId>,
    caller: Caller,
    ApiQuery(page): ApiQuery<PageQuery>,
    ApiQuery(query): ApiQuery<MessageListQuery>,
) -> Result<Json<Vec<LettaMessage>>, ApiError> {
    let conversation = match query.conversation_id.as_deref() {
        None | Some("default") => agent_id.default_conversation(),
        Some(id) => crate::http::routes::conversations::parse_id(id, Some(agent_id))?,
    };
    let page = message_page(&page, if caller.is_v1_sdk { 100 } else { 10 })?;
    let messages = page_of_messages(&app, conversation, &query, page).await?;
    if messages.is_empty() && !app.store.agent_exists(agent_id).await? {
        return Err(ApiError::not_found("Agent", agent_id));
    }
    Ok(Json(letta_messages(&messages, &query.options())))
}

/// The page that was asked for, the newest messages by default. Old clients never send an order here.
pub fn message_page(query: &PageQuery, default_limit: i64) -> Result<Page, ApiError> {
    let (after, before) = query.cursors();
    Ok(Page { limit: query.limit(default_limit)?, after, before, ascending: query.ascending(false)? })
}

/// A page of a conversation, oldest first.
pub async fn page_of_messages(
    app: &App,
    conversation: ConversationId,
    query: &MessageListQuery,
    page: Page,
) -> Result<Vec<Message>, ApiError> {
    let filter = MessageFilter {
        group_id: query.group_id.clone(),
        without_errors: query.include_err == Some(false),
        ..MessageFilter::default()
    };
    app.store.messages(conversation, &filter, page).await.map_err(page_error)
}

/// A page of a conversation in the order that was asked for, with cursors that follow that order (the
/// store's go by time).
pub async fn conversation_page(
    app: &App,
    conversation: ConversationId,
    query: &MessageListQuery,
    page: Page,
) -> Result<Vec<Message>, ApiError> {
    let Page { after, before, ascending, .. } = page;
    let (after, before) = if ascending { (after, before) } else { (before, after) };
    let mut messages = page_of_messages(app, conversation, query, Page { after, before, ..page }).await?;
    if !ascending {
        messages.reverse();
    }
    Ok(messages)
}
