//! `GET /v1/blocks/count`

use axum::Json;

use super::query::BlockQuery;
use crate::app::App;
use crate::http::{error::ApiError, extract::ApiQuery};

/// Counts blocks that a list with the same filters would have.
#[utoipa::path(get, path = "/v1/blocks/count", tag = "blocks", params(BlockQuery),
    responses((status = 200, body = i64)))]
pub async fn count(app: App, ApiQuery(query): ApiQuery<BlockQuery>) -> Result<Json<i64>, ApiError> {
    match query.filter() {
        Some(filter) => Ok(Json(app.store.count_blocks(&filter).await?)),
        None => Ok(Json(0)),
    }
}
