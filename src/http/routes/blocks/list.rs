//! `GET /v1/blocks/`

use axum::{Json, extract::State};

use super::query::BlockQuery;
use crate::http::{
    dto::blocks::BlockDto,
    error::ApiError,
    extract::ApiQuery,
    pagination::PageQuery,
    routes::agents::paging::{DEFAULT_LIMIT, page},
    state::AppState,
};

/// Lists blocks, the oldest first unless the caller says otherwise. Hidden ones are left out.
#[utoipa::path(get, path = "/v1/blocks", tag = "blocks", params(BlockQuery, PageQuery),
    responses((status = 200, body = Vec<BlockDto>)))]
pub async fn list(
    State(state): State<AppState>,
    ApiQuery(query): ApiQuery<BlockQuery>,
    ApiQuery(paging): ApiQuery<PageQuery>,
) -> Result<Json<Vec<BlockDto>>, ApiError> {
    let page = page(&paging, DEFAULT_LIMIT, true)?;
    let Some(filter) = query.filter() else { return Ok(Json(vec![])) };
    let blocks = state.store.blocks(&filter, page).await?;
    Ok(Json(blocks.into_iter().map(BlockDto::from).collect()))
}
