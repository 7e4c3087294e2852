//! `GET /v1/groups/count`

use axum::Json;

use crate::app::App;
use crate::http::{dto::groups::GroupQuery, error::ApiError, extract::ApiQuery};

/// Counts groups that a list with the same filters would have.
#[utoipa::path(get, path = "/v1/groups/count", tag = "groups", params(GroupQuery),
    responses((status = 200, body = i64)))]
pub async fn count(app: App, ApiQuery(query): ApiQuery<GroupQuery>) -> Result<Json<i64>, ApiError> {
    match query.filter(None)? {
        Some(filter) => Ok(Json(app.store.count_groups(&filter).await?)),
        None => Ok(Json(0)),
    }
}
