//! `PATCH /v1/tools/{tool_id}`

use axum::Json;
use engram_domain::ToolId;

use crate::app::{App, tools};
use crate::http::{
    dto::{
        owned::OwnedBy,
        tools::{ToolDto, ToolUpdate},
    },
    error::ApiError,
    extract::{ApiJson, PathId},
};

/// Changes a tool. What a built-in tool does and how it is described to models stays as it is.
#[utoipa::path(patch, path = "/v1/tools/{tool_id}", tag = "tools", params(("tool_id" = String, Path)),
    request_body = ToolUpdate, responses((status = 200, body = ToolDto)))]
pub async fn modify(
    app: App,
    PathId(id): PathId<ToolId>,
    ApiJson(update): ApiJson<ToolUpdate>,
) -> Result<Json<ToolDto>, ApiError> {
    Ok(Json(ToolDto::new(tools::change(&app, id, update.change()).await?, OwnedBy::of(&app))))
}
