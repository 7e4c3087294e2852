//! `POST /v1/tools/add-base-tools`

use axum::{Json, extract::State};

use crate::http::{dto::tools::ToolDto, error::ApiError, state::AppState};

/// Brings back built-in tools that were deleted, and answers all of them.
#[utoipa::path(post, path = "/v1/tools/add-base-tools", tag = "tools",
    responses((status = 200, body = Vec<ToolDto>)))]
pub async fn add_base_tools(State(state): State<AppState>) -> Result<Json<Vec<ToolDto>>, ApiError> {
    let tools = state.store.ensure_builtin_tools(state.clock.now(), state.ids.as_ref()).await?;
    Ok(Json(tools.into_iter().map(ToolDto::from).collect()))
}
