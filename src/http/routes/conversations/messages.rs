//! `GET`, `POST /v1/conversations/{conversation_id}/messages`, and the preview of the latter.

use axum::{Json as AxumJson, extract::State, response::Response};
use engram_domain::Json;
use engram_store::Page;

use super::{AgentQuery, agent_of, find};
use crate::http::{
    ApiError, ApiJson, ApiQuery, AppState, Caller, IdempotencyKey, PageQuery, PathId,
    dto::messages::{LettaMessage, LettaResponse, MessageRequest, letta_messages},
    routes::messages::{
        MessageListQuery, conversation_page, preview_payload,
        turn::{Target, answer, answer_streaming},
    },
};

/// List the messages of a conversation, newest first unless `order=asc`.
#[utoipa::path(
    get, path = "/v1/conversations/{conversation_id}/messages", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Id of the conversation"), PageQuery, MessageListQuery),
    responses((status = 200, body = Vec<LettaMessage>), (status = 404, description = "No such conversation or cursor"))
)]
pub async fn list_conversation_messages(
    State(state): State<AppState>,
    PathId(id): PathId<String>,
    ApiQuery(page): ApiQuery<PageQuery>,
    ApiQuery(query): ApiQuery<MessageListQuery>,
) -> Result<AxumJson<Vec<LettaMessage>>, ApiError> {
    let conversation = find(&state, &id, agent_of(query.agent_id.as_deref())?).await?;
    let (after, before) = page.cursors();
    let page = Page { limit: page.limit(100)?, after, before, ascending: page.ascending(false)? };
    let messages = conversation_page(&state, conversation.id, &query, page).await?;
    Ok(AxumJson(letta_messages(&messages, &query.options())))
}

async fn target(state: &AppState, id: &str, agent: AgentQuery, request: &MessageRequest) -> Result<Target, ApiError> {
    let agent = agent_of(request.agent_id.as_deref())?.or(agent.agent_id);
    let conversation = find(state, id, agent).await?;
    Ok(Target { agent_id: conversation.agent_id, conversation_id: conversation.id })
}

/// Send a message in a conversation and get the answer as a stream, or whole with `streaming: false`.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation_id}/messages", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Id of the conversation"), AgentQuery),
    request_body = MessageRequest,
    responses((status = 200, body = LettaResponse), (status = 404, description = "No such conversation"))
)]
pub async fn send_conversation_message(
    State(state): State<AppState>,
    PathId(id): PathId<String>,
    ApiQuery(agent): ApiQuery<AgentQuery>,
    caller: Caller,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<MessageRequest>,
) -> Result<Response, ApiError> {
    let target = target(&state, &id, agent, &request).await?;
    if request.streaming.unwrap_or(true) {
        answer_streaming(&state, target, &request, caller, &key).await
    } else {
        answer(&state, target, &request, caller, &key).await
    }
}

/// Get the request that a message would send to the model, without sending anything.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation_id}/messages/preview-raw-payload", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Id of the conversation"), AgentQuery),
    request_body = MessageRequest,
    responses((status = 200, body = Object), (status = 404, description = "No such conversation"))
)]
pub async fn preview_conversation_payload(
    State(state): State<AppState>,
    PathId(id): PathId<String>,
    ApiQuery(agent): ApiQuery<AgentQuery>,
    ApiJson(request): ApiJson<MessageRequest>,
) -> Result<AxumJson<Json>, ApiError> {
    let target = target(&state, &id, agent, &request).await?;
    preview_payload(&state, target, &request).await.map(AxumJson)
}
