//! `GET /v1/blocks/count`

use axum::{Json, extract::State};

use super::query::BlockQuery;
use crate::http::{error::ApiError, extract::ApiQuery, state::AppState};

/// Counts blocks that a list with the same filters would have.
#[utoipa::path(get, path = "/v1/blocks/count", tag = "blocks", params(BlockQuery),
    responses((status = 200, body = i64)))]
pub async fn count(
    State(state): State<AppState>,
    ApiQuery(query): ApiQuery<BlockQuery>,
) -> Result<Json<i64>, ApiError> {
    match query.filter() {
        Some(filter) => Ok(Json(state.store.count_blocks(&filter).await?)),
        None => Ok(Json(0)),
    }
}
