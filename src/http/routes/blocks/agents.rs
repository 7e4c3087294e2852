//! `GET /v1/blocks/{block_id}/agents`

use axum::Json;
use engram_domain::BlockId;
use engram_store::agents::{AgentFilter, AgentSort};

use crate::app::App;
use crate::http::{
    dto::agents::AgentStateDto,
    error::ApiError,
    extract::{ApiQuery, PathId},
    pagination::PageQuery,
    routes::agents::{
        agent_states,
        paging::{DEFAULT_LIMIT, page},
        query::RelationQuery,
    },
};

/// The agents that have a block, the newest first unless the caller says otherwise.
#[utoipa::path(get, path = "/v1/blocks/{block_id}/agents", tag = "blocks",
    params(RelationQuery, PageQuery, ("block_id" = String, Path)), responses((status = 200, body = Vec<AgentStateDto>)))]
pub async fn agents(
    app: App,
    PathId(id): PathId<BlockId>,
    ApiQuery(relations): ApiQuery<RelationQuery>,
    ApiQuery(paging): ApiQuery<PageQuery>,
) -> Result<Json<Vec<AgentStateDto>>, ApiError> {
    let page = page(&paging, DEFAULT_LIMIT, false)?;
    app.store.block(id).await?.ok_or_else(|| ApiError::not_found("Block", id))?;
    let filter = AgentFilter { block_id: Some(id), ..AgentFilter::default() };
    let agents = app.store.agents(&filter, AgentSort::Created, page).await?;
    agent_states(&app, agents, relations.wanted()).await.map(Json)
}
