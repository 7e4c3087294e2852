//! `PATCH /v1/conversations/{conversation_id}`

use axum::Json;
use engram_store::conversations::ConversationPatch;

use super::{AgentQuery, as_asked, show};
use crate::app::{App, conversations};
use crate::http::{
    ApiError, ApiJson, ApiQuery, PathId,
    dto::conversations::{ConversationDto, UpdateConversation, conversation_id},
};

/// Change a conversation.
#[utoipa::path(
    patch, path = "/v1/conversations/{conversation_id}", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Id of the conversation"), AgentQuery),
    request_body = UpdateConversation,
    responses((status = 200, body = ConversationDto), (status = 404, description = "No such conversation or model"))
)]
pub async fn modify_conversation(
    app: App,
    PathId(id): PathId<String>,
    ApiQuery(query): ApiQuery<AgentQuery>,
    ApiJson(request): ApiJson<UpdateConversation>,
) -> Result<Json<ConversationDto>, ApiError> {
    let conversation = conversation_id(&id, query.agent_id)?;
    let patch = ConversationPatch {
        summary: request.summary,
        model: request.model,
        model_settings: request.model_settings,
        last_message_at: request.last_message_at,
    };
    let changed = conversations::change(&app, conversation, &patch).await.map_err(|error| as_asked(&id, error))?;
    show(&app, changed).await.map(Json)
}
