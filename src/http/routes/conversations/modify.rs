//! `PATCH /v1/conversations/{conversation_id}`

use axum::Json;
use engram_store::conversations::ConversationPatch;

use super::{AgentQuery, parse_id, show};
use crate::app::App;
use crate::http::{
    ApiError, ApiJson, ApiQuery, PathId,
    dto::conversations::{ConversationDto, UpdateConversation},
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
    let conversation = parse_id(&id, query.agent_id)?;
    if let Some(Some(handle)) = &request.model {
        let known = app.providers.resolve_model(handle).await;
        known.map_err(|e| ApiError::new(axum::http::StatusCode::NOT_FOUND, e.to_string()))?;
    }
    let patch = ConversationPatch {
        summary: request.summary,
        model: request.model,
        model_settings: request.model_settings,
        last_message_at: request.last_message_at,
    };
    let changed = app.store.update_conversation(conversation, &patch, app.clock.now()).await?;
    let changed = changed.ok_or_else(|| ApiError::not_found("Conversation", &id))?;
    show(&app, changed).await.map(Json)
}
