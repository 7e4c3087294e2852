//! `GET /v1/tools/count`

use axum::Json;

use super::query::ToolQuery;
use crate::app::App;
use crate::http::{error::ApiError, extract::ApiQuery};

/// Counts tools that a list with the same filters would have.
#[utoipa::path(get, path = "/v1/tools/count", tag = "tools", params(ToolQuery),
    responses((status = 200, body = i64)))]
pub async fn count(app: App, ApiQuery(query): ApiQuery<ToolQuery>) -> Result<Json<i64>, ApiError> {
    Ok(Json(app.store.count_tools(&query.filter()).await?))
}
