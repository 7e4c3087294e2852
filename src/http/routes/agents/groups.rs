//! `GET /v1/agents/{agent_id}/groups`

use axum::Json;
use engram_domain::AgentId;

use crate::app::{App, agents::require};
use crate::http::{
    dto::groups::{GroupDto, GroupQuery},
    error::ApiError,
    extract::{ApiQuery, PathId},
    pagination::PageQuery,
    show,
};

/// Rows of this list when the caller does not say how many.
const DEFAULT_LIMIT: i64 = 100;

/// The groups that an agent is in or leads, the newest first unless the caller says otherwise.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/groups", tag = "agents",
    params(("agent_id" = String, Path), GroupQuery, PageQuery), responses((status = 200, body = Vec<GroupDto>)))]
pub async fn groups(
    app: App,
    PathId(id): PathId<AgentId>,
    ApiQuery(query): ApiQuery<GroupQuery>,
    ApiQuery(paging): ApiQuery<PageQuery>,
) -> Result<Json<Vec<GroupDto>>, ApiError> {
    let page = paging.page(DEFAULT_LIMIT, false)?;
    require(&app, id).await?;
    show::groups(&app, query, Some(id), page).await.map(Json)
}
