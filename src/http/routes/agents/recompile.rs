//! `POST /v1/agents/{agent_id}/recompile`

use axum::Json;
use engram_domain::AgentId;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::{App, agents, messages};
use crate::http::{
    error::ApiError,
    extract::{ApiQuery, PathId},
};

/// Query parameters.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct RecompileQuery {
    /// Only say what the prompt would be.
    dry_run: bool,
}

/// Compiles the system prompt of the default conversation again and answers it.
#[utoipa::path(post, path = "/v1/agents/{agent_id}/recompile", tag = "agents",
    params(RecompileQuery, ("agent_id" = String, Path)), responses((status = 200, body = String)))]
pub async fn recompile(
    app: App,
    PathId(id): PathId<AgentId>,
    ApiQuery(query): ApiQuery<RecompileQuery>,
) -> Result<Json<String>, ApiError> {
    run(&app, id, query).await
}

/// The same under its older path.
#[utoipa::path(post, path = "/v1/agents/{agent_id}/system-prompt/recompile", tag = "agents",
    params(RecompileQuery, ("agent_id" = String, Path)), responses((status = 200, body = String)))]
pub async fn recompile_old(
    app: App,
    PathId(id): PathId<AgentId>,
    ApiQuery(query): ApiQuery<RecompileQuery>,
) -> Result<Json<String>, ApiError> {
    run(&app, id, query).await
}

async fn run(app: &App, id: AgentId, query: RecompileQuery) -> Result<Json<String>, ApiError> {
    agents::require(app, id).await?;
    Ok(Json(messages::recompile(app, id.default_conversation(), query.dry_run).await?))
}
