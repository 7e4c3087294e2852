//! `POST /v1/conversations/{conversation_id}/compact`, `…/recompile`

use axum::Json;
use engram_engine::{Command, CommandOutcome};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{AgentQuery, agent_of, find};
use crate::app::App;
use crate::http::{
    ApiError, ApiQuery, OptionalJson, PathId,
    routes::messages::{CompactionRequest, CompactionResponse, compact},
};

/// Whether only to look.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct RecompileQuery {
    /// Say what the prompt would be, and change nothing.
    pub dry_run: bool,
}

/// Put a summary in the place of older messages.
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
    Ok(Json(compact(&app, conversation.id, request.compaction_settings, None).await?))
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
    match app.engine.command(conversation.id, Command::Recompile { dry_run: query.dry_run }).await? {
        CommandOutcome::Prompt(prompt) => Ok(Json(prompt)),
        _ => Err(ApiError::internal("a recompilation did not answer with its prompt")),
    }
}
