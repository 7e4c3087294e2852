//! `PATCH /v1/tools/{tool_id}`

use axum::Json;
use engram_domain::{Json as Value, ToolId, ToolKind};
use engram_store::tools::ToolPatch;

use crate::app::{App, sorted};
use crate::http::{
    dto::tools::{ToolDto, ToolUpdate},
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
    let tool = app.store.tool(id).await?.ok_or_else(|| ApiError::not_found("Tool", id))?;
    if let Some(member) = update.touches_code() {
        if tool.kind == ToolKind::Custom {
            return Err(ApiError::not_built(format!(
                "`{member}`: changing custom tools is not built yet in this server"
            )));
        }
        let expected = "expected no such member: the tool comes with the server";
        return Err(ApiError::invalid(&["body", member], expected, Value::Null));
    }
    if let Some(n) = update.return_char_limit.filter(|n| !(1..=1_000_000).contains(n)) {
        return Err(ApiError::invalid(&["body", "return_char_limit"], "expected 1 to 1000000", Value::from(n)));
    }
    let patch = ToolPatch {
        tags: update.tags.map(sorted),
        return_char_limit: update.return_char_limit,
        default_requires_approval: update.default_requires_approval,
        enable_parallel_execution: update.enable_parallel_execution,
        metadata: update.metadata_,
    };
    let tool =
        app.store.modify_tool(id, &patch, app.clock.now()).await?.ok_or_else(|| ApiError::not_found("Tool", id))?;
    Ok(Json(tool.into()))
}
