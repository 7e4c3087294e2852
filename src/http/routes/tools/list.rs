//! `GET /v1/tools/`

use axum::Json;

use super::query::ToolQuery;
use crate::app::App;
use crate::http::{
    dto::{owned::OwnedBy, tools::ToolDto},
    error::ApiError,
    extract::ApiQuery,
    pagination::{DEFAULT_LIMIT, PageQuery},
};

/// Lists tools, the newest first unless the caller says otherwise.
#[utoipa::path(get, path = "/v1/tools", tag = "tools", params(ToolQuery, PageQuery),
    responses((status = 200, body = Vec<ToolDto>)))]
pub async fn list(
    app: App,
    ApiQuery(query): ApiQuery<ToolQuery>,
    ApiQuery(paging): ApiQuery<PageQuery>,
) -> Result<Json<Vec<ToolDto>>, ApiError> {
    let page = paging.page(DEFAULT_LIMIT, false)?;
    let tools = app.store.tools(&query.filter(), page).await?;
    let by = OwnedBy::of(&app);
    Ok(Json(tools.into_iter().map(|tool| ToolDto::new(tool, by)).collect()))
}
