//! A tool.

use crate::{Json, JsonMap, Time, ToolId};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $wire:literal;)*) => {
        /// Where a tool comes from and so where it runs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ToolKind { $($(#[$doc])* $variant,)* }

        impl ToolKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The wire spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire,)* }
            }

            /// The kind with this spelling.
            pub fn parse(s: &str) -> Option<Self> {
                match s { $($wire => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    /// A user's own code.
    Custom = "custom";
    /// Messaging, recall and archival memory.
    Core = "letta_core";
    /// Editing memory blocks.
    MemoryCore = "letta_memory_core";
    /// Talking to other agents.
    MultiAgentCore = "letta_multi_agent_core";
    /// Line-wise memory editing.
    SleeptimeCore = "letta_sleeptime_core";
    /// Voice agents' memory.
    VoiceSleeptimeCore = "letta_voice_sleeptime_core";
    /// `run_code`, `web_search` and their like.
    Builtin = "letta_builtin";
    /// Files in context.
    FilesCore = "letta_files_core";
    /// Of an MCP server.
    Mcp = "external_mcp";
    /// Of Composio.
    Composio = "external_composio";
    /// Deprecated.
    Langchain = "external_langchain";
}

/// A tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its id.
    pub id: ToolId,
    /// What the model calls it; unique.
    pub name: String,
    /// Where it comes from.
    pub kind: ToolKind,
    /// What it does.
    pub description: Option<String>,
    /// `python`, `typescript` or `json`.
    pub source_type: Option<String>,
    /// Its source.
    pub source_code: Option<String>,
    /// `{name, description, parameters}` as the model is shown it.
    pub json_schema: Json,
    /// Schema of its arguments, where the caller gave one.
    pub args_json_schema: Option<Json>,
    /// Tags, sorted, without repeats.
    pub tags: Vec<String>,
    /// Characters of its result that the model is shown.
    pub return_char_limit: i32,
    /// Python packages it needs.
    pub pip_requirements: Option<Json>,
    /// npm packages it needs.
    pub npm_requirements: Option<Json>,
    /// Whether agents that get it get a `requires_approval` rule with it.
    pub default_requires_approval: Option<bool>,
    /// Whether calls of it may run side by side.
    pub enable_parallel_execution: bool,
    /// Free-form data.
    pub metadata: JsonMap,
    /// When it was created.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}
