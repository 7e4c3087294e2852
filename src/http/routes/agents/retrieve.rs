//! `GET /v1/agents/{agent_id}`

use axum::{Json, extract::State};
use engram_domain::AgentId;

use super::{query::RelationQuery, states::agent_states};
use crate::http::{
    dto::agents::AgentStateDto,
    error::ApiError,
    extract::{ApiQuery, PathId},
    state::AppState,
};

/// An agent.
#[utoipa::path(get, path = "/v1/agents/{agent_id}", tag = "agents", params(RelationQuery, ("agent_id" = String, Path)),
    responses((status = 200, body = AgentStateDto)))]
pub async fn retrieve(
    State(state): State<AppState>,
    PathId(id): PathId<AgentId>,
    ApiQuery(relations): ApiQuery<RelationQuery>,
) -> Result<Json<AgentStateDto>, ApiError> {
    let agent = state.store.agent(id).await?.ok_or_else(|| ApiError::not_found("Agent", id))?;
    let mut states = agent_states(&state, vec![agent], relations.wanted()).await?;
    states.pop().map(Json).ok_or_else(|| ApiError::not_found("Agent", id))
}
