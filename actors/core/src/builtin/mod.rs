//! The tools that come with the server.
//!
//! What it does: [`all`] is the catalogue (name, kind, description, schema), [`defaults_for`] says
//! with which of them an agent starts, [`base_rules`] which rules come with them, and [`prepare`]
//! brings the arguments of a call into the shape that the schema promises.
//!
//! Invariants: parameter names are those of the last V1 server; the earlier server's names are
//! accepted in calls ([`prepare`]) and never shown. A tool that is listed but cannot be executed yet
//! is not [`is_available`], and its executor says so in a tool error.
//!
//! To add a tool: an entry in the file of its kind under `catalogue/`; then either a pure edit in
//! [`crate::memory`] or an executor in `engram-tools`; then its name in `available` below.

mod args;
mod catalogue;
mod defaults;
mod schema;
mod voice;

use std::sync::LazyLock;

pub use args::{check_args, prepare};
pub use defaults::{DefaultsRequest, base_rules, defaults_for};
use engram_domain::{Json, ToolKind};
use schema::Param;
pub use voice::loop_rules;

/// Characters of a built-in tool's result that the model is shown.
pub const RETURN_CHAR_LIMIT: i32 = 50_000;

/// A tool that comes with the server.
#[derive(Debug, Clone, Copy)]
pub struct BuiltinTool {
    /// What the model calls it.
    pub name: &'static str,
    /// Where it runs; also its only tag.
    pub kind: ToolKind,
    /// What the model is told about it.
    pub description: &'static str,
    /// Whether calls of it may run side by side: those that only read may.
    pub parallel: bool,
    params: &'static [Param],
}

impl BuiltinTool {
    /// The stored form: `{name, description, parameters}`.
    pub fn json_schema(&self) -> Json {
        serde_json::json!({
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters(),
        })
    }

    /// JSON schema of its arguments.
    pub fn parameters(&self) -> Json {
        schema::object(self.params)
    }

    /// Its tags, as the API shows them.
    pub fn tags(&self) -> Vec<String> {
        vec![self.kind.as_str().to_owned()]
    }
}

static ALL: LazyLock<Vec<BuiltinTool>> = LazyLock::new(catalogue::collect);

/// The whole catalogue, by kind, in a fixed order.
pub fn all() -> &'static [BuiltinTool] {
    &ALL
}

/// The tool that the manager of a supervisor group is given for as long as it is one. It is never stored.
pub fn supervisor_tool() -> &'static BuiltinTool {
    &catalogue::SUPERVISOR
}

/// The tool of this name, also under a name that only old programs use.
pub fn find(name: &str) -> Option<&'static BuiltinTool> {
    let name = match name {
        // The documentation's name; no server ever had a tool of that name.
        "send_message_to_agents_matching_all_tags" => "send_message_to_agents_matching_tags",
        other => other,
    };
    ALL.iter().chain([supervisor_tool()]).find(|t| t.name == name)
}

/// Whether this server can execute the built-in tool of this name.
pub fn is_available(name: &str) -> bool {
    crate::memory::is_memory_tool(name)
        || matches!(
            name,
            "send_message"
                | "archival_memory_insert"
                | "archival_memory_search"
                | "conversation_search"
                | "search_memory"
                | "store_memories"
        )
        || name.starts_with("send_message_to_agent")
        || name == supervisor_tool().name
}

#[cfg(test)]
mod tests;
