//! `GET /v1/agents/{agent_id}`

use axum::Json;
use engram_domain::AgentId;

use crate::app::{App, agents};
use crate::http::{
    dto::agents::{AgentStateDto, RelationQuery},
    error::ApiError,
    extract::{ApiQuery, PathId},
    show::agent_states,
};

/// An agent.
#[utoipa::path(get, path = "/v1/agents/{agent_id}", tag = "agents", params(RelationQuery, ("agent_id" = String, Path)),
    responses((status = 200, body = AgentStateDto)))]
pub async fn retrieve(
    app: App,
    PathId(id): PathId<AgentId>,
    ApiQuery(relations): ApiQuery<RelationQuery>,
) -> Result<Json<AgentStateDto>, ApiError> {
    let agent = agents::find(&app, id).await?;
    let mut states = agent_states(&app, vec![agent], relations.wanted()).await?;
    states.pop().map(Json).ok_or_else(|| ApiError::not_found("Agent", id))
}
