//! `GET /v1/runs/{run_id}/messages`

use axum::Json;
use engram_domain::RunId;
use engram_store::{PAGE_BYTES, Page};

use crate::app::{App, runs};
use crate::http::{
    ApiError, ApiQuery, Caller, PageQuery, PathId,
    dto::messages::{LettaMessage, Options, letta_messages},
};

/// List the messages of a run: newest first for old clients, oldest first for 1.x ones, or as asked.
#[utoipa::path(
    get, path = "/v1/runs/{run_id}/messages", tag = "runs",
    params(("run_id" = String, Path, description = "Id of the run"), PageQuery),
    responses((status = 200, body = Vec<LettaMessage>), (status = 404, description = "No such run or cursor"))
)]
pub async fn list_run_messages(
    app: App,
    PathId(id): PathId<RunId>,
    caller: Caller,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Vec<LettaMessage>>, ApiError> {
    let run = runs::find(&app, id).await?;
    let ascending = query.ascending(caller.is_v1_sdk)?;
    let (after, before) = query.cursors();
    let page = Page { limit: query.limit(100)?, after, before, ascending, most_bytes: Some(PAGE_BYTES) };
    let messages = runs::messages(&app, id, page).await?;
    let options = Options { include_return_message_types: None, ..Options::of_run(&run.input.request_config) };
    Ok(Json(letta_messages(&messages, &options)))
}
