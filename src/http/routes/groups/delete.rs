//! `DELETE /v1/groups/{group_id}`

use axum::Json;
use engram_domain::{GroupId, ManagerConfig};
use engram_engine::{Command, CommandError, Pending};
use serde::Serialize;
use utoipa::ToSchema;

use super::retrieve::find;
use crate::app::App;
use crate::http::{error::ApiError, extract::PathId};

/// That it is done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GroupDeleted)]
pub struct Deleted {
    /// In words.
    message: String,
}

/// Deletes a group. Its agents stay, with the blocks that they shared.
#[utoipa::path(delete, path = "/v1/groups/{group_id}", tag = "groups", params(("group_id" = String, Path)),
    responses((status = 200, body = Deleted)))]
pub async fn delete(app: App, PathId(id): PathId<GroupId>) -> Result<Json<Deleted>, ApiError> {
    let group = find(&app, id).await?;
    if !app.store.delete_group(id).await? {
        return Err(ApiError::not_found("Group", id));
    }
    // What its manager asked the group for is answered by nobody any more.
    if let ManagerConfig::Dynamic { manager_agent_id, .. } = group.manager {
        let deny = Command::DenyPending(Pending::Group(id.to_string()));
        match app.engine.command(manager_agent_id.default_conversation(), deny).await {
            Ok(_) | Err(CommandError::NotFound) => {}
            Err(error) => tracing::warn!(?error, group = %id, "a manager still waits for its deleted group"),
        }
    }
    Ok(Json(Deleted { message: format!("Group id={id} successfully deleted") }))
}
