//! `POST /v1/blocks/`

use axum::Json;

use crate::app::{App, blocks};
use crate::http::{
    dto::{
        blocks::{BlockDto, CreateBlock},
        owned::OwnedBy,
    },
    error::ApiError,
    extract::ApiJson,
};

/// Creates a block that no agent has yet.
#[utoipa::path(post, path = "/v1/blocks", tag = "blocks", request_body = CreateBlock,
    responses((status = 200, body = BlockDto)))]
pub async fn create(app: App, ApiJson(request): ApiJson<CreateBlock>) -> Result<Json<BlockDto>, ApiError> {
    Ok(Json(BlockDto::new(blocks::create(&app, request.into()).await?, OwnedBy::of(&app))))
}
