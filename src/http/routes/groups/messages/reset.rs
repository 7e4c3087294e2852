//! `PATCH /v1/groups/{group_id}/reset-messages`

use axum::Json;
use engram_domain::GroupId;
use engram_engine::{Command, CommandError};
use futures::{StreamExt, stream};

use crate::app::{App, groups::find};
use crate::http::{ApiError, PathId};

/// Agents that are asked to forget at the same time.
const AT_ONCE: usize = 8;

/// Forget everything that was said in a group, in the memory of every agent that heard it. What else those agents
/// said and heard stays.
#[utoipa::path(
    patch, path = "/v1/groups/{group_id}/reset-messages", tag = "groups", params(("group_id" = String, Path)),
    responses((status = 200, description = "`null`"), (status = 404, description = "No such group"))
)]
pub async fn reset_messages(app: App, PathId(id): PathId<GroupId>) -> Result<Json<()>, ApiError> {
    find(&app, id).await?;
    let command = Command::Forget { group: id.to_string() };
    let conversations = app.store.conversations_of_group(id).await?;
    let forgotten = stream::iter(conversations)
        .map(|conversation| app.engine.command(conversation, command.clone()))
        .buffer_unordered(AT_ONCE);
    let failures: Vec<CommandError> = forgotten.filter_map(|done| std::future::ready(done.err())).collect().await;
    app.store.forget_group_runs(id).await?;
    // Who was deleted meanwhile has nothing to forget.
    match failures.into_iter().find(|error| !matches!(error, CommandError::NotFound)) {
        Some(error) => Err(error.into()),
        None => Ok(Json(())),
    }
}
