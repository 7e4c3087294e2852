//! `GET /v1/messages`, `GET /v1/messages/{message_id}`

use axum::Json;
use engram_domain::{AgentId, MessageId};

use crate::app::{App, messages};
use crate::http::{
    ApiError, ApiQuery, PageQuery, PathId,
    dto::{
        conversations::conversation_id,
        messages::{LettaMessage, MessageListQuery, letta_messages},
    },
};

/// List messages of all agents, of one agent, or of one conversation; newest first unless `order=asc`.
#[utoipa::path(
    get, path = "/v1/messages", tag = "messages", params(PageQuery, MessageListQuery),
    responses((status = 200, body = Vec<LettaMessage>))
)]
pub async fn list_all_messages(
    app: App,
    ApiQuery(page): ApiQuery<PageQuery>,
    ApiQuery(query): ApiQuery<MessageListQuery>,
) -> Result<Json<Vec<LettaMessage>>, ApiError> {
    let agent = query
        .agent_id
        .as_deref()
        .map(|id| {
            id.parse::<AgentId>().map_err(|e| ApiError::invalid(&["query", "agent_id"], e.to_string(), id.into()))
        })
        .transpose()?;
    let page = page.page(100, false)?;
    let messages = if let Some(id) = query.conversation_id.as_deref() {
        messages::page_in_order(&app, conversation_id(id, agent)?, &query.filter(), page).await?
    } else {
        app.store.all_messages(agent, page).await?
    };
    Ok(Json(letta_messages(&messages, &query.options())))
}

/// Get a message: the objects that it is shown as.
#[utoipa::path(
    get, path = "/v1/messages/{message_id}", tag = "messages",
    params(("message_id" = String, Path, description = "Id of the message"), MessageListQuery),
    responses((status = 200, body = Vec<LettaMessage>), (status = 404, description = "No such message"))
)]
pub async fn retrieve_message(
    app: App,
    PathId(id): PathId<MessageId>,
    ApiQuery(query): ApiQuery<MessageListQuery>,
) -> Result<Json<Vec<LettaMessage>>, ApiError> {
    let message = messages::find(&app, id).await?;
    Ok(Json(letta_messages([&message], &query.options())))
}
