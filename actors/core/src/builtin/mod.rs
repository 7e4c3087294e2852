//! The tools that come with the server.
//!
//! What it does: [`all`] is the catalogue. One entry, a [`BuiltinTool`], says everything about a tool: its name,
//! schema, effect, who runs it, and the rule that comes with it. [`defaults_for`] says with which of them an agent
//! starts, [`base_rules`] which rules come with them, and [`prepare`] brings the arguments of a call into the shape that
//! the schema promises.
//!
//! Invariants: parameter names are those of the last V1 server; the earlier server's names are
//! accepted in calls ([`prepare`]) and never shown. A tool that is listed but cannot be executed yet
//! is run by [`RunBy::Nobody`], and its runner says so in a tool error.
//!
//! To add a tool (two files, or three): an entry in the file of its kind under `catalogue/`; then either a function in
//! `memory/tools.rs`, which the entry names, or, when it needs more than arguments and blocks, a file in `engram-tools`
//! with a line in its `builtin.rs`. The database gets the tool when a server starts.

mod args;
mod catalogue;
mod defaults;
mod schema;
mod voice;

use std::sync::LazyLock;

pub use args::prepare;
pub use defaults::{DefaultsRequest, base_rules, defaults_for};
use engram_domain::{Json, JsonMap, Time, Tool, ToolEffect, ToolId, ToolKind};
use schema::Param;
pub use voice::loop_rules;

use crate::memory::{self, EditFn};

/// Characters of a built-in tool's result that the model is shown, unless a user sets another limit.
const RETURN_CHAR_LIMIT: i32 = 50_000;

/// Who executes a call.
#[derive(Debug, Clone, Copy)]
pub enum RunBy {
    /// The step function itself, inside the commit that holds the result.
    InStep(EditFn),
    /// The runner of built-in tools, in `engram-tools`.
    Runner,
    /// Nobody yet: the tool is listed because programs look it up by its name.
    Nobody,
}

/// Run by the step function: this function of arguments and blocks.
const fn in_step(function: fn(&mut memory::Draft<'_, '_>, &JsonMap) -> Result<String, String>) -> RunBy {
    RunBy::InStep(EditFn(function))
}

/// Which rule an agent gets together with the tool, when its type's loop goes by rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseRule {
    /// None.
    None,
    /// The turn goes on after a call.
    Continue,
    /// A call ends the turn.
    Terminal,
}

/// A tool that comes with the server.
#[derive(Debug, Clone, Copy)]
pub struct BuiltinTool {
    /// What the model calls it.
    pub name: &'static str,
    /// Another name under which programs look it up. It is not listed.
    pub alias: Option<&'static str>,
    /// Which group of tools it belongs to; also its only tag.
    pub kind: ToolKind,
    /// What the model is told about it.
    pub description: &'static str,
    /// Whether calls of it may run side by side: those that only read may.
    pub parallel: bool,
    /// What a repeated call would do.
    pub effect: ToolEffect,
    /// Who executes a call.
    pub run: RunBy,
    /// The rule that comes with it.
    pub rule: BaseRule,
    /// Whether it searches messages: then calls of it and their results repeat what was searched for, so that no search
    /// should find them.
    pub searches_messages: bool,
    params: &'static [Param],
}

/// What most entries of the catalogue leave as it is.
const PLAIN: BuiltinTool = BuiltinTool {
    name: "",
    alias: None,
    kind: ToolKind::Builtin,
    description: "",
    parallel: false,
    effect: ToolEffect::Once,
    run: RunBy::Nobody,
    rule: BaseRule::None,
    searches_messages: false,
    params: &[],
};

impl BuiltinTool {
    /// The entry of a stored tool. The kind counts, not the name alone: a user's own tool may be called `memory`.
    pub fn of(tool: &Tool) -> Option<&'static Self> {
        find(&tool.name).filter(|_| tool.kind.comes_with_server())
    }

    /// The tool as it is stored first; users may change its tags, limits and approval later.
    pub fn to_tool(&self, id: ToolId, now: Time) -> Tool {
        Tool {
            id,
            name: self.name.to_owned(),
            kind: self.kind,
            effect: self.effect,
            description: Some(self.description.to_owned()),
            source_type: Some("python".into()),
            source_code: None,
            json_schema: self.json_schema(),
            args_json_schema: None,
            tags: vec![self.kind.as_str().to_owned()],
            return_char_limit: RETURN_CHAR_LIMIT,
            pip_requirements: None,
            npm_requirements: None,
            default_requires_approval: None,
            enable_parallel_execution: self.parallel,
            metadata: JsonMap::new(),
            created_at: now,
            updated_at: now,
        }
    }

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

/// The name of the tool through which agents of the older types speak to the user.
pub const SEND_MESSAGE: &str = "send_message";

/// The words that a call speaks to the user; none when it is a call of another tool.
pub fn spoken(name: &str, arguments: &str) -> Option<String> {
    let arguments: Json = serde_json::from_str(arguments).ok().filter(|_| name == SEND_MESSAGE)?;
    Some(arguments.get("message")?.as_str()?.to_owned())
}

/// The tool of this name or alias.
pub fn find(name: &str) -> Option<&'static BuiltinTool> {
    ALL.iter().chain([supervisor_tool()]).find(|t| t.name == name || t.alias == Some(name))
}

#[cfg(test)]
mod tests;
