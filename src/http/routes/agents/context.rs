//! `GET /v1/agents/{agent_id}/context`

use axum::Json;
use engram_domain::{AgentId, ConversationId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::{self, App, cpu};
use crate::http::{
    dto::{context::ContextDto, owned::OwnedBy},
    error::ApiError,
    extract::{ApiQuery, PathId},
};

/// Query parameters.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ContextQuery {
    /// Another conversation than the agent's default one.
    #[param(value_type = Option<String>)]
    conversation_id: Option<ConversationId>,
}

/// What fills the context window of an agent, by parts.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/context", tag = "agents",
    params(ContextQuery, ("agent_id" = String, Path)), responses((status = 200, body = ContextDto)))]
pub async fn context(
    app: App,
    PathId(id): PathId<AgentId>,
    ApiQuery(query): ApiQuery<ContextQuery>,
) -> Result<Json<ContextDto>, ApiError> {
    let conversation = query.conversation_id.unwrap_or(id.default_conversation());
    let loaded = app
        .store
        .load(conversation)
        .await?
        .filter(|l| l.snapshot.agent.id == id)
        .ok_or_else(|| ApiError::not_found("Agent", id))?;
    let (now, by) = (app.clock.now(), OwnedBy::of(&app));
    // It counts the tokens of the whole prompt.
    Ok(Json(cpu::run(move || ContextDto::new(&loaded, now, by)).await.map_err(app::Error::from)?))
}
