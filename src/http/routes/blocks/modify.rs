//! `PATCH /v1/blocks/{block_id}`

use axum::{
    Json,
    http::{HeaderMap, StatusCode, header},
};
use engram_domain::BlockId;
use engram_store::blocks::{BlockPatch, Modified};

use super::{check_label, check_limit, too_long};
use crate::app::App;
use crate::http::{
    dto::blocks::{BlockDto, BlockUpdate},
    error::ApiError,
    extract::{ApiJson, PathId},
    routes::agents::creation::plan::sorted,
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
    apply(&app, id, update, &headers).await.map(Json)
}

/// Changes a block under the condition that the request's headers state.
pub async fn apply(app: &App, id: BlockId, update: BlockUpdate, headers: &HeaderMap) -> Result<BlockDto, ApiError> {
    let expected = if_match(headers)?;
    if let Some(label) = &update.label {
        check_label(label, &["body", "label"])?;
    }
    if let Some(limit) = update.limit {
        check_limit(limit, &["body", "limit"])?;
    }
    let patch = BlockPatch {
        label: update.label,
        value: update.value,
        limit: update.limit,
        description: update.description,
        read_only: update.read_only,
        metadata: update.metadata,
        template_name: update.template_name.or(update.name).map(Some),
        is_template: update.is_template,
        preserve_on_migration: update.preserve_on_migration,
        project_id: update.project_id,
        hidden: update.hidden,
        tags: update.tags.map(sorted),
    };
    match app.store.modify_block(id, patch, expected, app.clock.now()).await? {
        Modified::Done(block) => Ok((*block).into()),
        Modified::Missing => Err(ApiError::not_found("Block", id)),
        Modified::Stale { version } => Err(ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            format!("the block is at version {version} now; read it again"),
        )),
        Modified::TooLong { chars, limit } => Err(too_long(&["body", "value"], limit, chars)),
    }
}

/// The version in `If-Match`, with or without quotes; none for `*` or without the header.
fn if_match(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim().trim_matches('"');
    if text == "*" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        ApiError::invalid(&["header", "If-Match"], "expected the block's `version`", engram_domain::Json::from(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_condition_is_a_version() {
        let read = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, value.parse().expect("a header value"));
            if_match(&headers)
        };
        assert_eq!(read("\"3\"").expect("valid"), Some(3));
        assert_eq!(read("3").expect("valid"), Some(3));
        assert_eq!(read("*").expect("valid"), None);
        assert!(read("yesterday").is_err());
    }
}
