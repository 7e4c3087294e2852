//! `GET /v1/agents/{agent_id}/archival-memory`

use std::collections::BTreeMap;

use axum::Json;
use engram_domain::AgentId;
use engram_store::passages::PassageFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::{App, agents::require};
use crate::http::{
    dto::passages::PassageDto,
    error::ApiError,
    extract::{ApiQuery, PathId},
    pagination::PageQuery,
};

/// Query parameters besides those of every list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct MemoryQuery {
    /// Words in the text.
    search: Option<String>,
}

/// The passages of an agent's archives by time, oldest first unless the caller says otherwise.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/archival-memory", tag = "agents",
    params(MemoryQuery, PageQuery, ("agent_id" = String, Path)), responses((status = 200, body = Vec<PassageDto>)))]
pub async fn list(
    app: App,
    PathId(id): PathId<AgentId>,
    ApiQuery(query): ApiQuery<MemoryQuery>,
    ApiQuery(paging): ApiQuery<PageQuery>,
) -> Result<Json<Vec<PassageDto>>, ApiError> {
    let page = paging.page(100, true)?;
    let archives: BTreeMap<_, _> = app.store.archives_of_agent(id).await?.into_iter().map(|a| (a.id, a)).collect();
    if archives.is_empty() {
        require(&app, id).await?;
    }
    let filter = PassageFilter { agent_id: Some(id), search: query.search, ..PassageFilter::default() };
    let passages = app.store.passages(&filter, page).await?;
    Ok(Json(
        passages
            .into_iter()
            .filter_map(|p| archives.get(&p.archive_id).map(|archive| PassageDto::new(p, archive, Some(id))))
            .collect(),
    ))
}
