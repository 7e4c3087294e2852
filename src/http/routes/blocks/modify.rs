//! `PATCH /v1/blocks/{block_id}`

use axum::{Json, http::HeaderMap};
use engram_domain::BlockId;

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

/// Changes a block; every agent that has it sees the change in its next step. With
/// `If-Match: <version>` only if nobody else changed the text meanwhile (else 412).
#[utoipa::path(patch, path = "/v1/blocks/{block_id}", tag = "blocks", params(("block_id" = String, Path)),
    request_body = BlockUpdate, responses((status = 200, body = BlockDto)))]
pub async fn modify(
    app: App,
    PathId(id): PathId<BlockId>,
    headers: HeaderMap,
    ApiJson(update): ApiJson<BlockUpdate>,
) -> Result<Json<BlockDto>, ApiError> {
    let block = blocks::change(&app, id, update.into(), if_match(&headers)?).await?;
    Ok(Json(BlockDto::new(block, OwnedBy::of(&app))))
}
