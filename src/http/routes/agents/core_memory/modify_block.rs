//! `PATCH /v1/agents/{agent_id}/core-memory/blocks/{block_label}`

use axum::{Json, http::HeaderMap};
use engram_domain::AgentId;

use crate::app::{App, blocks};
use crate::http::{
    dto::{
        blocks::{BlockDto, BlockUpdate},
        owned::OwnedBy,
    },
    error::ApiError,
    extract::{ApiJson, PathId},
    if_match::if_match,
};

/// Changes the block of an agent with this label. Other agents that have the block see the change.
/// With `If-Match: <version>` only if nobody else changed it meanwhile (else 412).
#[utoipa::path(patch, path = "/v1/agents/{agent_id}/core-memory/blocks/{block_label}", tag = "agents",
    params(("agent_id" = String, Path), ("block_label" = String, Path)), request_body = BlockUpdate,
    responses((status = 200, body = BlockDto)))]
pub async fn modify_block(
    app: App,
    PathId((id, label)): PathId<(AgentId, String)>,
    headers: HeaderMap,
    ApiJson(update): ApiJson<BlockUpdate>,
) -> Result<Json<BlockDto>, ApiError> {
    let block = blocks::find_labelled(&app, id, &label).await?;
    let block = blocks::change(&app, block.id, update.into(), if_match(&headers)?).await?;
    Ok(Json(BlockDto::new(block, OwnedBy::of(&app))))
}
