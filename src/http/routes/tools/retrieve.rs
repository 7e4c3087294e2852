//! `GET /v1/tools/{tool_id}`

use axum::Json;
use engram_domain::ToolId;

use crate::app::App;
use crate::http::{dto::tools::ToolDto, error::ApiError, extract::PathId};

/// A tool.
#[utoipa::path(get, path = "/v1/tools/{tool_id}", tag = "tools", params(("tool_id" = String, Path)),
    responses((status = 200, body = ToolDto)))]
pub async fn retrieve(app: App, PathId(id): PathId<ToolId>) -> Result<Json<ToolDto>, ApiError> {
    let tool = app.store.tool(id).await?.ok_or_else(|| ApiError::not_found("Tool", id))?;
    Ok(Json(tool.into()))
}
