//! `GET /v1/agents/{agent_id}`

use axum::Json;
use engram_domain::AgentId;

use super::{query::RelationQuery, states::agent_states};
use crate::app::App;
use crate::http::{
    dto::agents::AgentStateDto,
    error::ApiError,
    extract::{ApiQuery, PathId},
};

/// An agent.
#[utoipa::path(get, path = "/v1/agents/{agent_id}", tag = "agents", params(RelationQuery, ("agent_id" = String, Path)),
    responses((status = 200, body = AgentStateDto)))]
pub async fn retrieve(
    app: App,
    PathId(id): PathId<AgentId>,
    ApiQuery(relations): ApiQuery<RelationQuery>,
) -> Result<Json<AgentStateDto>, ApiError> {
    let agent = app.store.agent(id).await?.ok_or_else(|| ApiError::not_found("Agent", id))?;
    let mut states = agent_states(&app, vec![agent], relations.wanted()).await?;
    states.pop().map(Json).ok_or_else(|| ApiError::not_found("Agent", id))
}
