//! `GET /v1/groups/`

use axum::Json;
use engram_domain::AgentId;

use super::query::GroupQuery;
use crate::app::App;
use crate::http::{
    dto::groups::GroupDto,
    error::ApiError,
    extract::ApiQuery,
    pagination::{DEFAULT_LIMIT, PageQuery},
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

/// A page of groups, of one agent or of all.
pub async fn groups(
    app: &App,
    query: GroupQuery,
    agent: Option<AgentId>,
    page: engram_store::Page,
) -> Result<Vec<GroupDto>, ApiError> {
    let Some(filter) = query.filter(agent)? else { return Ok(vec![]) };
    Ok(app.store.groups(&filter, page).await?.into_iter().map(GroupDto::from).collect())
}
