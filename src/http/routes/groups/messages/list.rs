//! `GET /v1/groups/{group_id}/messages`

use axum::Json;
use engram_domain::GroupId;

use crate::app::{App, groups::messages};
use crate::http::{
    ApiError, ApiQuery, Caller, PageQuery, PathId,
    dto::messages::{LettaMessage, MessageListQuery, letta_messages},
};

/// Lists the messages of a group, oldest first: the newest messages, or with `order=asc` the oldest ones. What one
/// agent says stands there as often as agents heard it.
#[utoipa::path(
    get, path = "/v1/groups/{group_id}/messages", tag = "groups",
    params(("group_id" = String, Path), PageQuery, MessageListQuery),
    responses((status = 200, body = Vec<LettaMessage>), (status = 404, description = "No such group or cursor"))
)]
pub async fn list_messages(
    app: App,
    PathId(id): PathId<GroupId>,
    caller: Caller,
    ApiQuery(page): ApiQuery<PageQuery>,
    ApiQuery(query): ApiQuery<MessageListQuery>,
) -> Result<Json<Vec<LettaMessage>>, ApiError> {
    let page = page.page(if caller.is_v1_sdk { 100 } else { 10 }, false)?;
    let messages = messages::page(&app, id, query.include_err != Some(false), page).await?;
    Ok(Json(letta_messages(&messages, &query.options())))
}
