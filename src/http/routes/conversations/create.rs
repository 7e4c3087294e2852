//! `POST /v1/conversations`

use axum::Json;
use serde_json::json;

use super::{AgentQuery, show};
use crate::app::{App, conversations};
use crate::http::{
    ApiError, ApiQuery, OptionalJson,
    dto::conversations::{ConversationDto, CreateConversation},
};

/// Creates a conversation with an agent, beside its default conversation.
#[utoipa::path(
    post, path = "/v1/conversations", tag = "conversations", params(AgentQuery), request_body = Option<CreateConversation>,
    responses((status = 200, body = ConversationDto), (status = 404, description = "No such agent, block label or model"))
)]
pub async fn create_conversation(
    app: App,
    ApiQuery(query): ApiQuery<AgentQuery>,
    OptionalJson(request): OptionalJson<CreateConversation>,
) -> Result<Json<ConversationDto>, ApiError> {
    let missing = || ApiError::invalid(&["query", "agent_id"], "Field required", json!(null));
    let agent_id = query.agent_id.ok_or_else(missing)?;
    let conversation = conversations::create(&app, agent_id, request.into()).await?;
    show(&app, conversation).await.map(Json)
}
