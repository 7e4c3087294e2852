//! `GET /v1/blocks/`

use axum::Json;

use super::query::BlockQuery;
use crate::app::App;
use crate::http::{
    dto::{blocks::BlockDto, owned::OwnedBy},
    error::ApiError,
    extract::ApiQuery,
    pagination::{DEFAULT_LIMIT, PageQuery},
};

/// Lists blocks, the oldest first unless the caller says otherwise. Hidden ones are left out.
#[utoipa::path(get, path = "/v1/blocks", tag = "blocks", params(BlockQuery, PageQuery),
    responses((status = 200, body = Vec<BlockDto>)))]
pub async fn list(
    app: App,
    ApiQuery(query): ApiQuery<BlockQuery>,
    ApiQuery(paging): ApiQuery<PageQuery>,
) -> Result<Json<Vec<BlockDto>>, ApiError> {
    let page = paging.page(DEFAULT_LIMIT, true)?;
    let Some(filter) = query.filter() else { return Ok(Json(vec![])) };
    let blocks = app.store.blocks(&filter, page).await?;
    let by = OwnedBy::of(&app);
    Ok(Json(blocks.into_iter().map(|block| BlockDto::new(block, by)).collect()))
}
