//! `GET /v1/groups/`

use axum::Json;

use crate::app::App;
use crate::http::{
    dto::groups::{GroupDto, GroupQuery},
    error::ApiError,
    extract::ApiQuery,
    pagination::{DEFAULT_LIMIT, PageQuery},
    show::groups,
};

/// Lists groups, the oldest first unless the caller says otherwise. Hidden ones are left out.
#[utoipa::path(get, path = "/v1/groups", tag = "groups", params(GroupQuery, PageQuery),
    responses((status = 200, body = Vec<GroupDto>)))]
pub async fn list(
    app: App,
    ApiQuery(query): ApiQuery<GroupQuery>,
    ApiQuery(paging): ApiQuery<PageQuery>,
) -> Result<Json<Vec<GroupDto>>, ApiError> {
    let page = paging.page(DEFAULT_LIMIT, true)?;
    groups(&app, query, None, page).await.map(Json)
}
