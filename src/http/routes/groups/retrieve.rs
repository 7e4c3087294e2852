//! `GET /v1/groups/{group_id}`

use axum::{Json, extract::State};
use engram_domain::{Group, GroupId};

use crate::http::{dto::groups::GroupDto, error::ApiError, extract::PathId, state::AppState};

/// A group.
#[utoipa::path(get, path = "/v1/groups/{group_id}", tag = "groups", params(("group_id" = String, Path)),
    responses((status = 200, body = GroupDto)))]
pub async fn retrieve(State(state): State<AppState>, PathId(id): PathId<GroupId>) -> Result<Json<GroupDto>, ApiError> {
    find(&state, id).await.map(|group| Json(group.into()))
}

/// The group, or 404.
pub async fn find(state: &AppState, id: GroupId) -> Result<Group, ApiError> {
    state.store.group(id).await?.ok_or_else(|| ApiError::not_found("Group", id))
}
