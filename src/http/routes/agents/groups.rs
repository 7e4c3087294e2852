//! `GET /v1/agents/{agent_id}/groups`

use axum::{Json, extract::State};
use engram_domain::AgentId;

use super::{paging::page, states::require};
use crate::http::{
    dto::groups::GroupDto,
    error::ApiError,
    extract::{ApiQuery, PathId},
    pagination::PageQuery,
    routes::groups::{list, query::GroupQuery},
    state::AppState,
};

/// Rows of this list when the caller does not say how many.
const DEFAULT_LIMIT: i64 = 100;

/// The groups that an agent is in or leads, the newest first unless the caller says otherwise.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/groups", tag = "agents",
    params(("agent_id" = String, Path), GroupQuery, PageQuery), responses((status = 200, body = Vec<GroupDto>)))]
pub async fn groups(
    State(state): State<AppState>,
    PathId(id): PathId<AgentId>,
    ApiQuery(query): ApiQuery<GroupQuery>,
    ApiQuery(paging): ApiQuery<PageQuery>,
) -> Result<Json<Vec<GroupDto>>, ApiError> {
    let page = page(&paging, DEFAULT_LIMIT, false)?;
    require(&state, id).await?;
    list::groups(&state, query, Some(id), page).await.map(Json)
}
