//! `tools`.

use engram_domain::{JsonMap, Time, Tool, ToolEffect, ToolKind};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    StoreError,
    json::{RawJson, corrupt, parse_opt},
};

/// Columns of [`ToolRow`], for `FROM tools t`.
macro_rules! tool_columns {
    () => {
        "t.id, t.name, t.kind, t.effect, t.description, t.source_type, t.source_code, t.json_schema, t.args_json_schema, \
         t.tags, t.return_char_limit, t.pip_requirements, t.npm_requirements, t.default_requires_approval, \
         t.enable_parallel_execution, t.metadata, t.created_at, t.updated_at"
    };
}
pub(crate) use tool_columns;

#[derive(FromRow)]
pub(crate) struct ToolRow {
    pub id: Uuid,
    name: String,
    kind: String,
    effect: String,
    description: Option<String>,
    source_type: Option<String>,
    source_code: Option<String>,
    json_schema: RawJson,
    args_json_schema: Option<RawJson>,
    tags: Vec<String>,
    return_char_limit: i32,
    pip_requirements: Option<RawJson>,
    npm_requirements: Option<RawJson>,
    default_requires_approval: Option<bool>,
    enable_parallel_execution: bool,
    metadata: RawJson,
    created_at: Time,
    updated_at: Time,
}

impl TryFrom<ToolRow> for Tool {
    type Error = StoreError;

    fn try_from(row: ToolRow) -> Result<Self, StoreError> {
        const T: &str = "tools";
        let id = row.id;
        let kind =
            ToolKind::parse(&row.kind).ok_or_else(|| corrupt(T, "kind", id, format!("no such kind: {}", row.kind)))?;
        let effect = ToolEffect::parse(&row.effect)
            .ok_or_else(|| corrupt(T, "effect", id, format!("no such effect: {}", row.effect)))?;
        Ok(Self {
            id: id.into(),
            name: row.name,
            kind,
            effect,
            description: row.description,
            source_type: row.source_type,
            source_code: row.source_code,
            json_schema: row.json_schema.parse(T, "json_schema", id)?,
            args_json_schema: parse_opt(row.args_json_schema.as_ref(), T, "args_json_schema", id)?,
            tags: row.tags,
            return_char_limit: row.return_char_limit,
            pip_requirements: parse_opt(row.pip_requirements.as_ref(), T, "pip_requirements", id)?,
            npm_requirements: parse_opt(row.npm_requirements.as_ref(), T, "npm_requirements", id)?,
            default_requires_approval: row.default_requires_approval,
            enable_parallel_execution: row.enable_parallel_execution,
            metadata: parse_opt::<JsonMap>(Some(&row.metadata), T, "metadata", id)?.unwrap_or_default(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}
