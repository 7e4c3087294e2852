//! `GET /v1/tools/{tool_id}`

use axum::{Json, extract::State};
use engram_domain::ToolId;

use crate::http::{dto::tools::ToolDto, error::ApiError, extract::PathId, state::AppState};

/// A tool.
#[utoipa::path(get, path = "/v1/tools/{tool_id}", tag = "tools", params(("tool_id" = String, Path)),
    responses((status = 200, body = ToolDto)))]
pub async fn retrieve(State(state): State<AppState>, PathId(id): PathId<ToolId>) -> Result<Json<ToolDto>, ApiError> {
    let tool = state.store.tool(id).await?.ok_or_else(|| ApiError::not_found("Tool", id))?;
    Ok(Json(tool.into()))
}
