//! `GET /v1/admin/nodes`.

use axum::{Json, extract::State};

use crate::http::{ApiError, AppState, dto::nodes::NodeDto};

/// List the nodes that share this database, those that are alive first.
///
/// A node that is gone stays in the list for a day.
#[utoipa::path(get, path = "/v1/admin/nodes", tag = "admin", responses((status = 200, body = Vec<NodeDto>)))]
pub async fn list_nodes(State(state): State<AppState>) -> Result<Json<Vec<NodeDto>>, ApiError> {
    Ok(Json(state.store.nodes().await?.iter().map(NodeDto::from).collect()))
}
