//! `POST /v1/tools/add-base-tools`

use axum::Json;

use crate::app::App;
use crate::http::{
    dto::{owned::OwnedBy, tools::ToolDto},
    error::ApiError,
};

/// Brings back built-in tools that were deleted, and answers all of them.
#[utoipa::path(post, path = "/v1/tools/add-base-tools", tag = "tools",
    responses((status = 200, body = Vec<ToolDto>)))]
pub async fn add_base_tools(app: App) -> Result<Json<Vec<ToolDto>>, ApiError> {
    let tools = app.store.ensure_builtin_tools(app.clock.now(), app.ids.as_ref()).await?;
    let by = OwnedBy::of(&app);
    Ok(Json(tools.into_iter().map(|tool| ToolDto::new(tool, by)).collect()))
}
