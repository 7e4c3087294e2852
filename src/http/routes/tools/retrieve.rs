//! `GET /v1/tools/{tool_id}`

use axum::Json;
use engram_domain::ToolId;

use crate::app::{App, tools};
use crate::http::{
    dto::{owned::OwnedBy, tools::ToolDto},
    error::ApiError,
    extract::PathId,
};

/// A tool.
#[utoipa::path(get, path = "/v1/tools/{tool_id}", tag = "tools", params(("tool_id" = String, Path)),
    responses((status = 200, body = ToolDto)))]
pub async fn retrieve(app: App, PathId(id): PathId<ToolId>) -> Result<Json<ToolDto>, ApiError> {
    Ok(Json(ToolDto::new(tools::find(&app, id).await?, OwnedBy::of(&app))))
}
