//! `GET /v1/agents/count`

use axum::Json;

use super::query::AgentQuery;
use crate::app::App;
use crate::http::{dto::owned::OwnedBy, error::ApiError, extract::ApiQuery};

/// Counts agents that a list with the same filters would have.
#[utoipa::path(get, path = "/v1/agents/count", tag = "agents", params(AgentQuery),
    responses((status = 200, body = i64)))]
pub async fn count(app: App, ApiQuery(query): ApiQuery<AgentQuery>) -> Result<Json<i64>, ApiError> {
    match query.filter(OwnedBy::of(&app))? {
        Some(filter) => Ok(Json(app.store.count_agents(&filter).await?)),
        None => Ok(Json(0)),
    }
}
