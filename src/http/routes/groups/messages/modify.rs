//! `PATCH /v1/groups/{group_id}/messages/{message_id}`

use axum::Json;
use engram_domain::{GroupId, MessageId};

use crate::app::{App, groups, messages};
use crate::http::{
    ApiError, ApiJson, PathId,
    dto::messages::{LettaMessage, MessageUpdate},
};

/// Changes the content of a group's message, for the one agent that has it.
#[utoipa::path(
    patch, path = "/v1/groups/{group_id}/messages/{message_id}", tag = "groups",
    params(("group_id" = String, Path), ("message_id" = String, Path)), request_body = MessageUpdate,
    responses((status = 200, body = LettaMessage), (status = 404, description = "No such group or message"))
)]
pub async fn modify_message(
    app: App,
    PathId((group, id)): PathId<(GroupId, MessageId)>,
    ApiJson(update): ApiJson<MessageUpdate>,
) -> Result<Json<LettaMessage>, ApiError> {
    let message = groups::messages::message(&app, group, id).await?;
    let edited = messages::edit(&app, &message, update.content(&message)?).await?;
    update.shown(&edited).map(Json)
}
