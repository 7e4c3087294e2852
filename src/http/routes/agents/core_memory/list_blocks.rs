//! `GET /v1/agents/{agent_id}/core-memory/blocks`

use axum::Json;
use engram_domain::AgentId;

use crate::app::App;
use crate::http::{
    dto::blocks::BlockDto,
    error::ApiError,
    extract::{ApiQuery, PathId},
    pagination::{PageQuery, cut},
    show::agent_state,
};

/// The blocks of an agent, in the order of its prompt.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/core-memory/blocks", tag = "agents",
    params(PageQuery, ("agent_id" = String, Path)), responses((status = 200, body = Vec<BlockDto>)))]
pub async fn list_blocks(
    app: App,
    PathId(id): PathId<AgentId>,
    ApiQuery(paging): ApiQuery<PageQuery>,
) -> Result<Json<Vec<BlockDto>>, ApiError> {
    let page = paging.page(100, true)?;
    let blocks = agent_state(&app, id).await?.blocks;
    Ok(Json(cut(blocks, page, |b| b.id.0)))
}
