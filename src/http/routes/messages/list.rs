//! `GET /v1/agents/{agent_id}/messages`

use axum::Json;
use engram_domain::AgentId;

use crate::app::{App, messages};
use crate::http::{
    ApiError, ApiQuery, Caller, PageQuery, PathId,
    dto::{
        conversations::conversation_id,
        messages::{LettaMessage, MessageListQuery, letta_messages},
    },
};

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
        Some(id) => conversation_id(id, Some(agent_id))?,
    };
    // Old clients never send an order here.
    let page = page.page(if caller.is_v1_sdk { 100 } else { 10 }, false)?;
    let messages = messages::page(&app, agent_id, conversation, &query.filter(), page).await?;
    Ok(Json(letta_messages(&messages, &query.options())))
}
