//! `GET /v1/admin/nodes`.

use axum::Json;

use crate::http::{ApiError, Operator, dto::nodes::NodeDto};

/// List the nodes that share this database, those that are alive first.
///
/// A node that is gone stays in the list for a day.
#[utoipa::path(get, path = "/v1/admin/nodes", tag = "admin", responses((status = 200, body = Vec<NodeDto>)))]
pub async fn list_nodes(Operator(app): Operator) -> Result<Json<Vec<NodeDto>>, ApiError> {
    Ok(Json(app.store.nodes().await?.iter().map(NodeDto::from).collect()))
}
