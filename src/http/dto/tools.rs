//! Tools on the wire.

use engram_domain::{Json, JsonMap, Tool, ToolId};
use engram_store::tools::ToolPatch;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::owned::OwnedBy;
use crate::app::tools::ToolChange;

/// A tool.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Tool)]
pub struct ToolDto {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ToolId,
    /// Where it comes from.
    pub tool_type: &'static str,
    /// What it does.
    pub description: Option<String>,
    /// `python`, `typescript` or `json`.
    pub source_type: Option<String>,
    /// The organization.
    pub organization_id: String,
    /// What the model calls it.
    pub name: String,
    /// Tags.
    pub tags: Vec<String>,
    /// Its source; null for built-in tools.
    pub source_code: Option<String>,
    /// `{name, description, parameters}` as the model is shown it.
    #[schema(value_type = Object)]
    pub json_schema: Json,
    /// Schema of its arguments, where the caller gave one.
    #[schema(value_type = Option<Object>)]
    pub args_json_schema: Option<Json>,
    /// Characters of its result that the model is shown.
    pub return_char_limit: i32,
    /// Python packages it needs.
    #[schema(value_type = Option<Vec<Object>>)]
    pub pip_requirements: Option<Json>,
    /// npm packages it needs.
    #[schema(value_type = Option<Vec<Object>>)]
    pub npm_requirements: Option<Json>,
    /// Whether agents that get it get a `requires_approval` rule with it.
    pub default_requires_approval: Option<bool>,
    /// Whether calls of it may run side by side.
    pub enable_parallel_execution: bool,
    /// Whom it is said to come from.
    pub created_by_id: Option<String>,
    /// Whom it is said to come from.
    pub last_updated_by_id: Option<String>,
    /// Free-form data; the odd name is the API's.
    #[schema(value_type = Object)]
    pub metadata_: JsonMap,
    /// Always null.
    pub project_id: Option<String>,
}

impl ToolDto {
    /// A tool of these owners.
    pub fn new(t: Tool, by: OwnedBy) -> Self {
        Self {
            id: t.id,
            tool_type: t.kind.as_str(),
            description: t.description,
            source_type: t.source_type,
            organization_id: by.organization(),
            name: t.name,
            tags: t.tags,
            source_code: t.source_code,
            json_schema: t.json_schema,
            args_json_schema: t.args_json_schema,
            return_char_limit: t.return_char_limit,
            pip_requirements: t.pip_requirements,
            npm_requirements: t.npm_requirements,
            default_requires_approval: t.default_requires_approval,
            enable_parallel_execution: t.enable_parallel_execution,
            created_by_id: by.user(),
            last_updated_by_id: by.user(),
            metadata_: t.metadata,
            project_id: None,
        }
    }
}

/// Changes of a tool; absent members stay as they are.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = ToolUpdate)]
pub struct ToolUpdate {
    /// New description.
    pub description: Option<String>,
    /// New tags, all of them.
    pub tags: Option<Vec<String>>,
    /// New source.
    pub source_code: Option<String>,
    /// New language of the source.
    pub source_type: Option<String>,
    /// New schema for the model.
    #[schema(value_type = Option<Object>)]
    pub json_schema: Option<Json>,
    /// New schema of the arguments.
    #[schema(value_type = Option<Object>)]
    pub args_json_schema: Option<Json>,
    /// Characters of its result that the model is shown, 1 to 1,000,000.
    pub return_char_limit: Option<i32>,
    /// New Python packages.
    #[schema(value_type = Option<Vec<Object>>)]
    pub pip_requirements: Option<Json>,
    /// New npm packages.
    #[schema(value_type = Option<Vec<Object>>)]
    pub npm_requirements: Option<Json>,
    /// Whether agents that get it get a `requires_approval` rule with it.
    pub default_requires_approval: Option<bool>,
    /// Whether calls of it may run side by side.
    pub enable_parallel_execution: Option<bool>,
    /// New free-form data.
    #[schema(value_type = Option<Object>)]
    pub metadata_: Option<JsonMap>,
}

impl ToolUpdate {
    /// The changes.
    pub fn change(self) -> ToolChange {
        let code_member = self.code_member();
        let settings = ToolPatch {
            tags: self.tags,
            return_char_limit: self.return_char_limit,
            default_requires_approval: self.default_requires_approval,
            enable_parallel_execution: self.enable_parallel_execution,
            metadata: self.metadata_,
        };
        ToolChange { settings, code_member }
    }

    /// The first member that a built-in tool does not let anybody change.
    fn code_member(&self) -> Option<&'static str> {
        [
            ("source_code", self.source_code.is_some()),
            ("source_type", self.source_type.is_some()),
            ("json_schema", self.json_schema.is_some()),
            ("args_json_schema", self.args_json_schema.is_some()),
            ("pip_requirements", self.pip_requirements.is_some()),
            ("npm_requirements", self.npm_requirements.is_some()),
            ("description", self.description.is_some()),
        ]
        .into_iter()
        .find_map(|(name, set)| set.then_some(name))
    }
}

/// A search for tools.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = ToolSearchRequest)]
pub struct ToolSearchRequest {
    /// Words to look for; all tools when absent.
    pub query: Option<String>,
    /// `vector`, `fts` or `hybrid`; all of them search words here.
    pub search_mode: Option<String>,
    /// Only these kinds.
    pub tool_types: Option<Vec<String>>,
    /// Only tools with one of these tags.
    pub tags: Option<Vec<String>>,
    /// At most so many, 1 to 100; 50 when absent.
    pub limit: Option<i64>,
}

/// A tool that a search found.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ToolSearchResult)]
pub struct ToolSearchResult {
    /// The tool.
    pub tool: ToolDto,
    /// Always null: nothing is embedded.
    pub embedded_text: Option<String>,
    /// Its place by words, from 1.
    pub fts_rank: Option<i64>,
    /// Always null.
    pub vector_rank: Option<i64>,
    /// Greater is better.
    pub combined_score: f64,
}

/// Arguments of a tool call that is run for an agent.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = ToolExecuteRequest)]
pub struct ToolExecuteRequest {
    /// The arguments.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub args: JsonMap,
}

/// What a tool did.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ToolExecutionResult)]
pub struct ToolExecutionResult {
    /// `success` or `error`.
    pub status: &'static str,
    /// What it returned.
    pub func_return: Option<String>,
    /// Always null; read the agent instead.
    #[schema(value_type = Option<Object>)]
    pub agent_state: Option<Json>,
    /// What it wrote to standard output.
    pub stdout: Vec<String>,
    /// What it wrote to standard error.
    pub stderr: Vec<String>,
    /// Always null.
    pub sandbox_config_fingerprint: Option<String>,
}

/// Whether a tool of an agent waits for a person.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = ModifyApprovalRequest)]
pub struct ModifyApproval {
    /// True adds a `requires_approval` rule, false removes it.
    pub requires_approval: bool,
}
