//! `POST /v1/blocks/`

use axum::{Json, extract::State};

use super::new_block;
use crate::http::{
    dto::blocks::{BlockDto, CreateBlock},
    error::ApiError,
    extract::ApiJson,
    state::AppState,
};

/// Creates a block that no agent has yet.
#[utoipa::path(post, path = "/v1/blocks", tag = "blocks", request_body = CreateBlock,
    responses((status = 200, body = BlockDto)))]
pub async fn create(
    State(state): State<AppState>,
    ApiJson(request): ApiJson<CreateBlock>,
) -> Result<Json<BlockDto>, ApiError> {
    let block = new_block(request, &["body"], state.clock.now(), state.ids.as_ref())?;
    state.store.create_block(&block).await?;
    Ok(Json(block.into()))
}
