//! `GET /v1/agents/{agent_id}/core-memory/blocks/{block_label}`

use axum::Json;
use engram_domain::AgentId;

use crate::app::{App, blocks};
use crate::http::{
    dto::{blocks::BlockDto, owned::OwnedBy},
    error::ApiError,
    extract::PathId,
};

/// The block of an agent with this label.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/core-memory/blocks/{block_label}", tag = "agents",
    params(("agent_id" = String, Path), ("block_label" = String, Path)), responses((status = 200, body = BlockDto)))]
pub async fn retrieve_block(
    app: App,
    PathId((id, label)): PathId<(AgentId, String)>,
) -> Result<Json<BlockDto>, ApiError> {
    Ok(Json(BlockDto::new(blocks::find_labelled(&app, id, &label).await?, OwnedBy::of(&app))))
}
