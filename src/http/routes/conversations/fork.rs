//! `POST /v1/conversations/{conversation_id}/fork`

use axum::{Json, extract::State};
use engram_domain::ConversationId;

use super::{AgentQuery, parse_id, show};
use crate::http::{ApiError, ApiQuery, AppState, PathId, dto::conversations::ConversationDto};

/// Go on from here in a new conversation; this one stays as it is.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation_id}/fork", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Id of the conversation"), AgentQuery),
    responses((status = 200, body = ConversationDto), (status = 404, description = "No such conversation"))
)]
pub async fn fork_conversation(
    State(state): State<AppState>,
    PathId(id): PathId<String>,
    ApiQuery(query): ApiQuery<AgentQuery>,
) -> Result<Json<ConversationDto>, ApiError> {
    let from = parse_id(&id, query.agent_id)?;
    let new = ConversationId(state.ids.uuid());
    let forked = state.store.fork_conversation(from, new, state.clock.now(), state.ids.as_ref()).await?;
    let forked = forked.ok_or_else(|| ApiError::not_found("Conversation", &id))?;
    show(&state, forked).await.map(Json)
}
