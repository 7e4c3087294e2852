//! `GET /v1/archives/`

use axum::Json;
use engram_domain::AgentId;
use engram_store::archives::ArchiveFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::http::{
    dto::{archives::ArchiveDto, owned::OwnedBy},
    error::ApiError,
    extract::ApiQuery,
    pagination::{DEFAULT_LIMIT, PageQuery},
};

/// Query parameters besides those of every list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ArchiveQuery {
    /// Exactly this name.
    name: Option<String>,
    /// Attached to this agent.
    #[param(value_type = Option<String>)]
    agent_id: Option<AgentId>,
}

/// Lists archives, the newest first unless the caller says otherwise.
#[utoipa::path(get, path = "/v1/archives", tag = "archives", params(ArchiveQuery, PageQuery),
    responses((status = 200, body = Vec<ArchiveDto>)))]
pub async fn list(
    app: App,
    ApiQuery(query): ApiQuery<ArchiveQuery>,
    ApiQuery(paging): ApiQuery<PageQuery>,
) -> Result<Json<Vec<ArchiveDto>>, ApiError> {
    let page = paging.page(DEFAULT_LIMIT, false)?;
    let filter = ArchiveFilter { name: query.name, agent_id: query.agent_id };
    let archives = app.store.archives(&filter, page).await?;
    let by = OwnedBy::of(&app);
    Ok(Json(archives.into_iter().map(|archive| ArchiveDto::new(archive, by)).collect()))
}
