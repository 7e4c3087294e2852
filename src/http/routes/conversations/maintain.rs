//! `POST /v1/conversations/{conversation_id}/compact`, `…/recompile`

use axum::Json;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{AgentQuery, agent_of, find};
use crate::app::{App, messages};
use crate::http::{
    ApiError, ApiQuery, OptionalJson, PathId,
    dto::messages::{CompactionRequest, CompactionResponse},
};

/// Whether only to look.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct RecompileQuery {
    /// Say what the prompt would be, and change nothing.
    pub dry_run: bool,
}

/// Replaces older messages in context by a summary.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation_id}/compact", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Id of the conversation"), AgentQuery),
    request_body = Option<CompactionRequest>,
    responses((status = 200, body = CompactionResponse), (status = 404, description = "No such conversation"))
)]
pub async fn compact_conversation(
    app: App,
    PathId(id): PathId<String>,
    ApiQuery(query): ApiQuery<AgentQuery>,
    OptionalJson(request): OptionalJson<CompactionRequest>,
) -> Result<Json<CompactionResponse>, ApiError> {
    let agent = agent_of(request.agent_id.as_deref())?.or(query.agent_id);
    let conversation = find(&app, &id, agent).await?;
    Ok(Json(messages::compact(&app, conversation.id, request.compaction_settings, None).await?.into()))
}

/// Compile the system prompt again, and get it.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation_id}/recompile", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Id of the conversation"), AgentQuery, RecompileQuery),
    request_body = Option<CompactionRequest>,
    responses((status = 200, body = String), (status = 404, description = "No such conversation"))
)]
pub async fn recompile_conversation(
    app: App,
    PathId(id): PathId<String>,
    ApiQuery(agent): ApiQuery<AgentQuery>,
    ApiQuery(query): ApiQuery<RecompileQuery>,
    OptionalJson(request): OptionalJson<CompactionRequest>,
) -> Result<Json<String>, ApiError> {
    let agent = agent_of(request.agent_id.as_deref())?.or(agent.agent_id);
    let conversation = find(&app, &id, agent).await?;
    Ok(Json(messages::recompile(&app, conversation.id, query.dry_run).await?))
}
