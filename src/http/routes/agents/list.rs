//! `GET /v1/agents/`

use axum::Json;

use super::query::{AgentQuery, sort};
use crate::app::App;
use crate::http::{
    dto::{
        agents::{AgentStateDto, RelationQuery},
        owned::OwnedBy,
    },
    error::ApiError,
    extract::ApiQuery,
    pagination::{DEFAULT_LIMIT, PageQuery},
    show::agent_states,
};

/// Lists agents, the newest first unless the caller says otherwise. Hidden ones are left out.
#[utoipa::path(get, path = "/v1/agents", tag = "agents", params(AgentQuery, RelationQuery, PageQuery),
    responses((status = 200, body = Vec<AgentStateDto>)))]
pub async fn list(
    app: App,
    ApiQuery(query): ApiQuery<AgentQuery>,
    ApiQuery(relations): ApiQuery<RelationQuery>,
    ApiQuery(paging): ApiQuery<PageQuery>,
) -> Result<Json<Vec<AgentStateDto>>, ApiError> {
    let page = paging.page(DEFAULT_LIMIT, false)?;
    let Some(filter) = query.filter(OwnedBy::of(&app))? else { return Ok(Json(vec![])) };
    let agents = app.store.agents(&filter, sort(paging.sort()), page).await?;
    agent_states(&app, agents, relations.wanted()).await.map(Json)
}
