//! `GET /v1/admin/tree`

use axum::Json;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use crate::app::{App, tree};
use crate::http::{ApiError, ApiQuery, dto::tree::TreeDto};

/// Live conversations that are shown when the caller does not say.
const DEFAULT_LIMIT: usize = 500;
/// And at most.
const MAX_LIMIT: usize = 10_000;

/// How much is shown.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct TreeQuery {
    /// Live conversations, groups and schedules at most, each: 500 when absent, 10000 at most. The busy come first.
    pub limit: Option<i64>,
}

/// Lists the live agents of all nodes: their state, waiting runs, groups and schedules.
#[utoipa::path(get, path = "/v1/admin/tree", tag = "admin", params(TreeQuery), responses((status = 200, body = TreeDto)))]
pub async fn tree(app: App, ApiQuery(query): ApiQuery<TreeQuery>) -> Result<Json<TreeDto>, ApiError> {
    let limit = limit(query.limit)?;
    Ok(Json(TreeDto::new(&tree::read(&app, limit).await?)))
}

fn limit(asked: Option<i64>) -> Result<usize, ApiError> {
    let Some(n) = asked else { return Ok(DEFAULT_LIMIT) };
    let limit = usize::try_from(n).ok().filter(|n| (1..=MAX_LIMIT).contains(n));
    limit.ok_or_else(|| {
        ApiError::invalid(&["query", "limit"], format!("expected an integer from 1 to {MAX_LIMIT}"), json!(n))
    })
}
