//! `DELETE /v1/tools/{tool_id}`

use axum::Json;
use engram_domain::ToolId;

use crate::app::App;
use crate::http::{error::ApiError, extract::PathId};

/// Deletes a tool and takes it from every agent that has it. A built-in one comes back with the next
/// start, or by `add-base-tools`.
#[utoipa::path(delete, path = "/v1/tools/{tool_id}", tag = "tools", params(("tool_id" = String, Path)),
    responses((status = 200, description = "`null`")))]
pub async fn delete(app: App, PathId(id): PathId<ToolId>) -> Result<Json<()>, ApiError> {
    if !app.store.delete_tool(id).await? {
        return Err(ApiError::not_found("Tool", id));
    }
    Ok(Json(()))
}
