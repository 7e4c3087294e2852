//! `DELETE /v1/groups/{group_id}`

use axum::{Json, extract::State};
use engram_domain::GroupId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{error::ApiError, extract::PathId, state::AppState};

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
pub async fn delete(State(state): State<AppState>, PathId(id): PathId<GroupId>) -> Result<Json<Deleted>, ApiError> {
    if !state.store.delete_group(id).await? {
        return Err(ApiError::not_found("Group", id));
    }
    Ok(Json(Deleted { message: format!("Group id={id} successfully deleted") }))
}
