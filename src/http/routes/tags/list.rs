//! `GET /v1/tags/`

use axum::Json;
use engram_store::tags::TagFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::http::{error::ApiError, extract::ApiQuery, pagination::PageQuery};

/// Query parameters besides those of every list. Cursors are tags here.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct TagQuery {
    /// Words in the tag.
    query_text: Option<String>,
    /// The same under its newer name.
    name: Option<String>,
}

/// Lists the tags of all agents in alphabetical order, as bare strings.
#[utoipa::path(get, path = "/v1/tags", tag = "tags", params(TagQuery, PageQuery),
    responses((status = 200, body = Vec<String>)))]
pub async fn list(
    app: App,
    ApiQuery(query): ApiQuery<TagQuery>,
    ApiQuery(paging): ApiQuery<PageQuery>,
) -> Result<Json<Vec<String>>, ApiError> {
    let filter = TagFilter {
        query_text: query.query_text.or(query.name),
        descending: !paging.ascending(true)?,
        limit: paging.limit(50)?,
        after: paging.after,
        before: paging.before,
    };
    Ok(Json(app.store.tags(&filter).await?))
}
