//! `GET /v1/tools/count`

use axum::{Json, extract::State};

use super::query::ToolQuery;
use crate::http::{error::ApiError, extract::ApiQuery, state::AppState};

/// Counts tools that a list with the same filters would have.
#[utoipa::path(get, path = "/v1/tools/count", tag = "tools", params(ToolQuery),
    responses((status = 200, body = i64)))]
pub async fn count(State(state): State<AppState>, ApiQuery(query): ApiQuery<ToolQuery>) -> Result<Json<i64>, ApiError> {
    Ok(Json(state.store.count_tools(&query.filter()).await?))
}
