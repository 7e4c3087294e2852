//! `GET /v1/blocks/{block_id}`

use axum::Json;
use engram_domain::BlockId;

use crate::app::{App, blocks};
use crate::http::{
    dto::{blocks::BlockDto, owned::OwnedBy},
    error::ApiError,
    extract::PathId,
};

/// A block.
#[utoipa::path(get, path = "/v1/blocks/{block_id}", tag = "blocks", params(("block_id" = String, Path)),
    responses((status = 200, body = BlockDto)))]
pub async fn retrieve(app: App, PathId(id): PathId<BlockId>) -> Result<Json<BlockDto>, ApiError> {
    Ok(Json(BlockDto::new(blocks::find(&app, id).await?, OwnedBy::of(&app))))
}
