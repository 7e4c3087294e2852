//! `GET /v1/agents/count`

use axum::{Json, extract::State};

use super::query::AgentQuery;
use crate::http::{error::ApiError, extract::ApiQuery, state::AppState};

/// Counts agents that a list with the same filters would have.
#[utoipa::path(get, path = "/v1/agents/count", tag = "agents", params(AgentQuery),
    responses((status = 200, body = i64)))]
pub async fn count(
    State(state): State<AppState>,
    ApiQuery(query): ApiQuery<AgentQuery>,
) -> Result<Json<i64>, ApiError> {
    match query.filter()? {
        Some(filter) => Ok(Json(state.store.count_agents(&filter).await?)),
        None => Ok(Json(0)),
    }
}
