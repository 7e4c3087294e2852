//! `DELETE /v1/blocks/{block_id}`

use axum::Json;
use engram_domain::BlockId;

use crate::app::App;
use crate::http::{
    dto::{blocks::BlockDto, owned::OwnedBy},
    error::ApiError,
    extract::PathId,
};

/// Deletes a block, takes it from every agent that has it, and answers what it was.
#[utoipa::path(delete, path = "/v1/blocks/{block_id}", tag = "blocks", params(("block_id" = String, Path)),
    responses((status = 200, body = BlockDto)))]
pub async fn delete(app: App, PathId(id): PathId<BlockId>) -> Result<Json<BlockDto>, ApiError> {
    let block = app.store.delete_block(id).await?.ok_or_else(|| ApiError::not_found("Block", id))?;
    Ok(Json(BlockDto::new(block, OwnedBy::of(&app))))
}
