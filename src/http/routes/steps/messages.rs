//! `GET /v1/steps/{step_id}/messages`

use axum::Json;
use engram_domain::StepId;
use engram_store::{PAGE_BYTES, Page};

use crate::app::{App, steps};
use crate::http::{
    ApiError, ApiQuery, PageQuery, PathId,
    dto::messages::{LettaMessage, Options, letta_messages},
};

/// List the messages of a step, oldest first unless asked otherwise.
#[utoipa::path(
    get, path = "/v1/steps/{step_id}/messages", tag = "steps",
    params(("step_id" = String, Path, description = "Id of the step"), PageQuery),
    responses((status = 200, body = Vec<LettaMessage>), (status = 404, description = "No such step or cursor"))
)]
pub async fn list_step_messages(
    app: App,
    PathId(id): PathId<StepId>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Vec<LettaMessage>>, ApiError> {
    let ascending = query.ascending(true)?;
    let (after, before) = query.cursors();
    let page = Page { limit: query.limit(100)?, after, before, ascending, most_bytes: Some(PAGE_BYTES) };
    let messages = steps::messages(&app, id, page).await?;
    Ok(Json(letta_messages(&messages, &Options::default())))
}
