//! Memory blocks: making and changing them.

use engram_core::ports::Ids;
use engram_domain::{AgentId, Block, BlockId, Json, JsonMap, Time, block};
use engram_store::blocks::{BlockPatch, Modified};
use serde_json::json;

use crate::app::{App, Error, Result, agents, limits, sorted};

/// A block to be made. What is absent has a default.
#[derive(Debug, Clone, Default)]
pub struct BlockSpec {
    pub label: String,
    pub value: String,
    pub limit: Option<i32>,
    pub description: Option<String>,
    pub read_only: bool,
    pub metadata: JsonMap,
    pub template_name: Option<String>,
    pub is_template: bool,
    pub preserve_on_migration: bool,
    pub project_id: Option<String>,
    pub hidden: Option<bool>,
    pub tags: Vec<String>,
}

/// The block, which must exist.
pub async fn find(app: &App, id: BlockId) -> Result<Block> {
    app.store.block(id).await?.ok_or_else(|| Error::not_found("Block", id))
}

/// The block of an agent with this label, which must exist.
pub async fn find_labelled(app: &App, agent: AgentId, label: &str) -> Result<Block> {
    if let Some(block) = app.store.block_of_agent(agent, label).await? {
        return Ok(block);
    }
    agents::require(app, agent).await?;
    Err(Error::NoSuch(format!("Block with label '{label}' not found in agent {agent}")))
}

/// Makes a block that no agent has yet.
pub async fn create(app: &App, spec: BlockSpec) -> Result<Block> {
    let block = new_block(spec, &[], app.clock.now(), app.ids.as_ref())?;
    app.store.create_block(&block).await?;
    Ok(block)
}

/// Changes a block. With `expected` only if its text still has this version.
pub async fn change(app: &App, id: BlockId, mut patch: BlockPatch, expected: Option<i64>) -> Result<Block> {
    if let Some(label) = &patch.label {
        check_label(label, &["label"])?;
    }
    if let Some(limit) = patch.limit {
        check_limit(limit, &["limit"])?;
    }
    limits::at_most(&["tags"], "tags", patch.tags.iter().flatten().count(), limits::TAGS)?;
    if let Some(data) = &patch.metadata {
        limits::metadata(&["metadata"], data)?;
    }
    patch.tags = patch.tags.map(sorted);
    match app.store.modify_block(id, patch, expected, app.clock.now()).await? {
        Modified::Done(block) => Ok(*block),
        Modified::Missing => Err(Error::not_found("Block", id)),
        Modified::Stale { version } => Err(Error::Stale { version }),
        Modified::TooLong { chars, limit } => Err(too_long(&["value"], limit, chars)),
    }
}

/// A block as it was asked for, with the defaults. `path` is where it stands in the input.
pub fn new_block(spec: BlockSpec, path: &[&str], now: Time, ids: &dyn Ids) -> Result<Block> {
    let at = |member| -> Vec<&str> { path.iter().copied().chain([member]).collect() };
    check_label(&spec.label, &at("label"))?;
    limits::at_most(&at("tags"), "tags", spec.tags.len(), limits::TAGS)?;
    limits::metadata(&at("metadata"), &spec.metadata)?;
    let limit = spec.limit.unwrap_or(block::DEFAULT_LIMIT);
    check_limit(limit, &at("limit"))?;
    let chars = spec.value.chars().count();
    if chars > usize::try_from(limit).unwrap_or(0) {
        return Err(too_long(&at("value"), limit, chars));
    }
    Ok(Block {
        id: BlockId(ids.uuid()),
        description: spec.description.or_else(|| block::default_description(&spec.label).map(str::to_owned)),
        label: spec.label,
        value: spec.value,
        limit,
        read_only: spec.read_only,
        metadata: spec.metadata,
        template_name: spec.template_name,
        is_template: spec.is_template,
        preserve_on_migration: spec.preserve_on_migration,
        project_id: spec.project_id,
        hidden: spec.hidden,
        tags: sorted(spec.tags),
        created_at: now,
        updated_at: now,
        version: 1,
    })
}

/// The prompt names a block by its label, between angle brackets and on a line of its own.
fn check_label(label: &str, path: &[&str]) -> Result<()> {
    if label.trim().is_empty() || label.contains(['<', '>', '\n', '\r']) {
        let expected = "expected a label that is not empty and has no line break and none of < >";
        return Err(Error::invalid(path, expected, json!(label)));
    }
    Ok(())
}

/// A limit is a number of characters.
fn check_limit(limit: i32, path: &[&str]) -> Result<()> {
    if !(1..=block::MAX_LIMIT).contains(&limit) {
        let expected = format!("expected 1 to {} characters", block::MAX_LIMIT);
        return Err(Error::invalid(path, expected, json!(limit)));
    }
    Ok(())
}

/// A text that does not fit, in the words of the old server.
fn too_long(path: &[&str], limit: i32, chars: usize) -> Error {
    let expected = format!("Edit failed: Exceeds {limit} character limit (requested {chars})");
    Error::invalid(path, expected, Json::Null)
}
