//! `GET /v1/runs/{run_id}/messages`

use axum::Json;
use engram_domain::RunId;
use engram_store::Page;

use crate::app::{App, runs::find};
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
    let run = find(&app, id).await?;
    let ascending = query.ascending(caller.is_v1_sdk)?;
    let (after, before) = query.cursors();
    // The store's cursors go by time; in a list that runs backwards they change places.
    let (after, before) = if ascending { (after, before) } else { (before, after) };
    let page = Page { limit: query.limit(100)?, after, before, ascending };
    let mut messages = app.store.run_messages(id, page).await?.unwrap_or_default();
    if !ascending {
        messages.reverse();
    }
    let options = Options { include_return_message_types: None, ..Options::of_run(&run.input.request_config) };
    Ok(Json(letta_messages(&messages, &options)))
}
