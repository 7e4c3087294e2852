//! `GET /v1/agents/{agent_id}/files`

use axum::Json;
use engram_domain::AgentId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, agents::require};
use crate::http::{error::ApiError, extract::PathId};

/// A page of files in an agent's context.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaginatedAgentFiles)]
pub struct Files {
    /// The files.
    #[serde(rename = "files")]
    #[schema(value_type = Vec<Object>)]
    items: Vec<engram_domain::Json>,
    /// Where the next page begins.
    next_cursor: Option<String>,
    /// Whether there is one.
    has_more: bool,
}

/// The files in an agent's context. There are none yet.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/files", tag = "agents", params(("agent_id" = String, Path)),
    responses((status = 200, body = Files)))]
pub async fn files(app: App, PathId(id): PathId<AgentId>) -> Result<Json<Files>, ApiError> {
    require(&app, id).await?;
    Ok(Json(Files { items: vec![], next_cursor: None, has_more: false }))
}
