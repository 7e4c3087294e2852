//! `GET /v1/archives/{archive_id}/agents`

use axum::Json;
use engram_domain::ArchiveId;

use crate::app::{App, agents};
use crate::http::{
    dto::agents::{AgentStateDto, RelationQuery},
    error::ApiError,
    extract::{ApiQuery, PathId},
    pagination::{DEFAULT_LIMIT, PageQuery},
    show::agent_states,
};

/// The agents that have an archive, the newest first unless the caller says otherwise.
#[utoipa::path(get, path = "/v1/archives/{archive_id}/agents", tag = "archives",
    params(RelationQuery, PageQuery, ("archive_id" = String, Path)),
    responses((status = 200, body = Vec<AgentStateDto>)))]
pub async fn agents(
    app: App,
    PathId(id): PathId<ArchiveId>,
    ApiQuery(relations): ApiQuery<RelationQuery>,
    ApiQuery(paging): ApiQuery<PageQuery>,
) -> Result<Json<Vec<AgentStateDto>>, ApiError> {
    let page = paging.page(DEFAULT_LIMIT, false)?;
    let agents = agents::with_archive(&app, id, page).await?;
    agent_states(&app, agents, relations.wanted()).await.map(Json)
}
