//! `POST /v1/blocks/`

use axum::Json;

use super::new_block;
use crate::app::App;
use crate::http::{
    dto::blocks::{BlockDto, CreateBlock},
    error::ApiError,
    extract::ApiJson,
};

/// Creates a block that no agent has yet.
#[utoipa::path(post, path = "/v1/blocks", tag = "blocks", request_body = CreateBlock,
    responses((status = 200, body = BlockDto)))]
pub async fn create(app: App, ApiJson(request): ApiJson<CreateBlock>) -> Result<Json<BlockDto>, ApiError> {
    let block = new_block(request, &["body"], app.clock.now(), app.ids.as_ref())?;
    app.store.create_block(&block).await?;
    Ok(Json(block.into()))
}
