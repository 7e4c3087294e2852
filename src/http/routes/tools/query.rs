//! The filters of tool lists, of both generations.

use engram_domain::ToolId;
use engram_store::tools::ToolFilter;
use serde::Deserialize;
use utoipa::IntoParams;

/// Query parameters that choose tools.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ToolQuery {
    /// Exactly this name.
    name: Option<String>,
    /// One of these names.
    names: Option<Vec<String>>,
    /// Among these ids.
    #[param(value_type = Option<Vec<String>>)]
    tool_ids: Option<Vec<ToolId>>,
    /// Words in name or description.
    search: Option<String>,
    /// Of these kinds.
    tool_types: Option<Vec<String>>,
    /// Of none of these kinds.
    exclude_tool_types: Vec<String>,
    /// Only tools that come with the server.
    return_only_letta_tools: Option<bool>,
    /// Only tools that do not.
    exclude_letta_tools: Option<bool>,
}

impl ToolQuery {
    /// The store's filter.
    pub fn filter(self) -> ToolFilter {
        ToolFilter {
            name: self.name,
            names: self.names,
            ids: self.tool_ids,
            search: self.search,
            kinds: self.tool_types,
            exclude_kinds: self.exclude_tool_types,
            tags: vec![],
            own: match (self.return_only_letta_tools, self.exclude_letta_tools) {
                (Some(true), _) => Some(true),
                (_, Some(true)) => Some(false),
                _ => None,
            },
            agent_id: None,
        }
    }
}
