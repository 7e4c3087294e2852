//! `GET /v1/admin/nodes`.

use axum::Json;

use super::operator;
use crate::{
    app::App,
    http::{ApiError, dto::nodes::NodeDto},
};

/// List the nodes that share this database, those that are alive first.
///
/// A node that is gone stays in the list for a day.
#[utoipa::path(get, path = "/v1/admin/nodes", tag = "admin", responses((status = 200, body = Vec<NodeDto>)))]
pub async fn list_nodes(app: App) -> Result<Json<Vec<NodeDto>>, ApiError> {
    operator(&app)?;
    Ok(Json(app.store.nodes().await?.iter().map(NodeDto::from).collect()))
}
