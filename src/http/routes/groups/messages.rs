//! `/v1/groups/{group_id}/messages` and `/v1/groups/{group_id}/reset-messages`: not built yet.

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use engram_domain::{GroupId, MessageId};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::retrieve::find;
use crate::http::{drain::drain, error::ApiError, extract::PathId, state::AppState};

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_messages, send_message))
        .routes(routes!(stream_message))
        .routes(routes!(modify_message))
        .routes(routes!(reset_messages))
}

/// 404 for a group that is not there; else 501.
async fn not_built(state: &AppState, id: GroupId, request: Request) -> Response {
    let what = format!("{} {}", request.method(), request.uri().path());
    drain(request.into_body()).await;
    match find(state, id).await {
        Ok(_) => ApiError::not_built(format!("{what} is not built yet in this server")).into_response(),
        Err(error) => error.into_response(),
    }
}

/// The messages of a group: not built yet.
#[utoipa::path(get, path = "/v1/groups/{group_id}/messages", tag = "groups", params(("group_id" = String, Path)),
    responses((status = 501)))]
async fn list_messages(State(state): State<AppState>, PathId(id): PathId<GroupId>, request: Request) -> Response {
    not_built(&state, id, request).await
}

/// A message to a group: not built yet.
#[utoipa::path(post, path = "/v1/groups/{group_id}/messages", tag = "groups", params(("group_id" = String, Path)),
    responses((status = 501)))]
async fn send_message(State(state): State<AppState>, PathId(id): PathId<GroupId>, request: Request) -> Response {
    not_built(&state, id, request).await
}

/// A message to a group, answered as a stream: not built yet.
#[utoipa::path(post, path = "/v1/groups/{group_id}/messages/stream", tag = "groups",
    params(("group_id" = String, Path)), responses((status = 501)))]
async fn stream_message(State(state): State<AppState>, PathId(id): PathId<GroupId>, request: Request) -> Response {
    not_built(&state, id, request).await
}

/// A change of a group's message: not built yet.
#[utoipa::path(patch, path = "/v1/groups/{group_id}/messages/{message_id}", tag = "groups",
    params(("group_id" = String, Path), ("message_id" = String, Path)), responses((status = 501)))]
async fn modify_message(
    State(state): State<AppState>,
    PathId((id, _message)): PathId<(GroupId, MessageId)>,
    request: Request,
) -> Response {
    not_built(&state, id, request).await
}

/// Emptying the contexts of a group's agents: not built yet.
#[utoipa::path(patch, path = "/v1/groups/{group_id}/reset-messages", tag = "groups",
    params(("group_id" = String, Path)), responses((status = 501)))]
async fn reset_messages(State(state): State<AppState>, PathId(id): PathId<GroupId>, request: Request) -> Response {
    not_built(&state, id, request).await
}
