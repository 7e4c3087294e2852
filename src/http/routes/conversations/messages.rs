//! `GET`, `POST /v1/conversations/{conversation_id}/messages`, and the preview of the latter.

use axum::{Json as AxumJson, response::Response};
use engram_domain::{Conversation, Json, RunType};

use super::{AgentQuery, agent_of, find};
use crate::app::{App, messages, runs::Target};
use crate::http::{
    ApiError, ApiJson, ApiQuery, Caller, IdempotencyKey, PageQuery, PathId,
    dto::{
        messages::{LettaMessage, LettaResponse, MessageListQuery, MessageRequest, letta_messages},
        payload::payload,
    },
    turn::{answer, answer_streaming},
};

/// List the messages of a conversation, newest first unless `order=asc`.
#[utoipa::path(
    get, path = "/v1/conversations/{conversation_id}/messages", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Id of the conversation"), PageQuery, MessageListQuery),
    responses((status = 200, body = Vec<LettaMessage>), (status = 404, description = "No such conversation or cursor"))
)]
pub async fn list_conversation_messages(
    app: App,
    PathId(id): PathId<String>,
    ApiQuery(page): ApiQuery<PageQuery>,
    ApiQuery(query): ApiQuery<MessageListQuery>,
) -> Result<AxumJson<Vec<LettaMessage>>, ApiError> {
    let conversation = find(&app, &id, agent_of(query.agent_id.as_deref())?).await?;
    let page = page.page(100, false)?;
    let messages = messages::page_in_order(&app, conversation.id, &query.filter(), page).await?;
    Ok(AxumJson(letta_messages(&messages, &query.options())))
}

async fn target(app: &App, id: &str, agent: AgentQuery, request: &MessageRequest) -> Result<Target, ApiError> {
    let conversation = asked(app, id, agent, request).await?;
    Ok(Target::Conversation(conversation.agent_id, conversation.id))
}

/// The conversation that a request is for.
async fn asked(app: &App, id: &str, agent: AgentQuery, request: &MessageRequest) -> Result<Conversation, ApiError> {
    let agent = agent_of(request.agent_id.as_deref())?.or(agent.agent_id);
    find(app, id, agent).await
}

/// Send a message in a conversation and get the answer as a stream, or whole with `streaming: false`.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation_id}/messages", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Id of the conversation"), AgentQuery),
    request_body = MessageRequest,
    responses((status = 200, body = LettaResponse), (status = 404, description = "No such conversation"))
)]
pub async fn send_conversation_message(
    app: App,
    PathId(id): PathId<String>,
    ApiQuery(agent): ApiQuery<AgentQuery>,
    caller: Caller,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<MessageRequest>,
) -> Result<Response, ApiError> {
    let target = target(&app, &id, agent, &request).await?;
    if request.streaming.unwrap_or(true) {
        answer_streaming(&app, target, &request, caller, &key).await
    } else {
        answer(&app, target, &request, caller, &key).await
    }
}

/// Get the request that a message would send to the model, without sending anything.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation_id}/messages/preview-raw-payload", tag = "conversations", extensions(("x-engram-scope" = json!("read"))),
    params(("conversation_id" = String, Path, description = "Id of the conversation"), AgentQuery),
    request_body = MessageRequest,
    responses((status = 200, body = Object), (status = 404, description = "No such conversation"))
)]
pub async fn preview_conversation_payload(
    app: App,
    PathId(id): PathId<String>,
    ApiQuery(agent): ApiQuery<AgentQuery>,
    ApiJson(request): ApiJson<MessageRequest>,
) -> Result<AxumJson<Json>, ApiError> {
    let conversation = asked(&app, &id, agent, &request).await?;
    let spec = request.run(RunType::Preview, None)?;
    let asked = messages::preview(&app, conversation.agent_id, conversation.id, spec).await?;
    Ok(AxumJson(payload(&asked)))
}
