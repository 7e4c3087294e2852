//! Memory blocks as things of their own.
//!
//! To add an endpoint: its file, and a line in [`router`]; handlers of one path stand in one line.

mod agents;
mod count;
mod create;
mod delete;
mod list;
pub mod modify;
mod query;
mod retrieve;

use engram_core::ports::Ids;
use engram_domain::{Block, BlockId, Time, block};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::{dto::blocks::CreateBlock, error::ApiError, routes::agents::creation::plan::sorted, state::AppState};

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(count::count))
        .routes(routes!(retrieve::retrieve, modify::modify, delete::delete))
        .routes(routes!(agents::agents))
}

/// A block as it was asked for, with what goes without saying. `loc` is where the request stands.
pub fn new_block(r: CreateBlock, loc: &[&str], now: Time, ids: &dyn Ids) -> Result<Block, ApiError> {
    let at = |member| -> Vec<&str> { loc.iter().copied().chain([member]).collect() };
    check_label(&r.label, &at("label"))?;
    let limit = r.limit.unwrap_or(block::DEFAULT_LIMIT);
    check_limit(limit, &at("limit"))?;
    let chars = r.value.chars().count();
    if chars > usize::try_from(limit).unwrap_or(0) {
        return Err(too_long(&at("value"), limit, chars));
    }
    Ok(Block {
        id: BlockId(ids.uuid()),
        description: r.description.or_else(|| block::default_description(&r.label).map(str::to_owned)),
        label: r.label,
        value: r.value,
        limit,
        read_only: r.read_only.unwrap_or(false),
        metadata: r.metadata.unwrap_or_default(),
        template_name: r.template_name.or(r.name),
        is_template: r.is_template.unwrap_or(false),
        preserve_on_migration: r.preserve_on_migration.unwrap_or(false),
        project_id: r.project_id,
        hidden: r.hidden,
        tags: sorted(r.tags.unwrap_or_default()),
        created_at: now,
        updated_at: now,
        version: 1,
    })
}

/// The prompt names a block by its label, between angle brackets and on a line of its own.
pub fn check_label(label: &str, loc: &[&str]) -> Result<(), ApiError> {
    if label.trim().is_empty() || label.contains(['<', '>', '\n', '\r']) {
        let expected = "expected a label that is not empty and has no line break and none of < >";
        return Err(ApiError::invalid(loc, expected, json!(label)));
    }
    Ok(())
}

/// A limit is a number of characters.
pub fn check_limit(limit: i32, loc: &[&str]) -> Result<(), ApiError> {
    if limit < 1 {
        return Err(ApiError::invalid(loc, "expected at least 1 character", json!(limit)));
    }
    Ok(())
}

/// A text that does not fit, in the words of the old server.
pub fn too_long(loc: &[&str], limit: i32, chars: usize) -> ApiError {
    ApiError::invalid(
        loc,
        format!("Edit failed: Exceeds {limit} character limit (requested {chars})"),
        engram_domain::Json::Null,
    )
}
