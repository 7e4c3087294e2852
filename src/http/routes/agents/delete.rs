//! `DELETE /v1/agents/{agent_id}`

use axum::Json;
use engram_domain::AgentId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{error::ApiError, extract::PathId};

/// Confirms that it is done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deleted {
    /// In words.
    message: String,
}

/// Deletes an agent with its messages and runs. Blocks and archives stay. What the agent is doing at
/// this moment ends at its next commit, which finds nothing to commit to.
#[utoipa::path(delete, path = "/v1/agents/{agent_id}", tag = "agents", params(("agent_id" = String, Path)),
    responses((status = 200, body = Deleted)))]
pub async fn delete(app: App, PathId(id): PathId<AgentId>) -> Result<Json<Deleted>, ApiError> {
    if !app.store.delete_agent(id).await? {
        return Err(ApiError::not_found("Agent", id));
    }
    Ok(Json(Deleted { message: format!("Agent id={id} successfully deleted") }))
}
