//! `GET /v1/agents/{agent_id}/tools`

use axum::Json;
use engram_domain::AgentId;

use crate::app::App;
use crate::http::{
    dto::tools::ToolDto,
    error::ApiError,
    extract::{ApiQuery, PathId},
    pagination::{PageQuery, cut},
    show::agent_state,
};

/// The tools of an agent, in the order they were attached unless the caller says otherwise.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/tools", tag = "agents",
    params(PageQuery, ("agent_id" = String, Path)), responses((status = 200, body = Vec<ToolDto>)))]
pub async fn list(
    app: App,
    PathId(id): PathId<AgentId>,
    ApiQuery(paging): ApiQuery<PageQuery>,
) -> Result<Json<Vec<ToolDto>>, ApiError> {
    // The last V1 server answered ten; old programs expect all of them, and nobody minds more.
    let page = paging.page(1_000, true)?;
    let tools = agent_state(&app, id).await?.tools;
    Ok(Json(cut(tools, page, |t| t.id.0)))
}
