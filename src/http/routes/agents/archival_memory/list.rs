//! `GET /v1/agents/{agent_id}/archival-memory`

use axum::Json;
use engram_domain::AgentId;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::{App, archives::passages};
use crate::http::{
    dto::{owned::OwnedBy, passages::PassageDto},
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
    let by = OwnedBy::of(&app);
    let found = passages::of_agent(&app, id, query.search, page).await?;
    Ok(Json(found.into_iter().map(|(passage, archive)| PassageDto::new(passage, &archive, Some(id), by)).collect()))
}
