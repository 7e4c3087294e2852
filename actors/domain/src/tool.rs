//! A tool.

use crate::{Json, JsonMap, Time, ToolId};

macro_rules! spelled {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal;)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The spelling in the database and, where it is shown, on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The value with this spelling.
            pub fn parse(s: &str) -> Option<Self> {
                match s { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

spelled! {
    /// Where a tool comes from; it decides which runner executes its calls.
    ToolKind {
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
}

impl ToolKind {
    /// Whether tools of this kind come with the server: the catalogue describes them, and a user cannot change what they
    /// do.
    pub fn comes_with_server(self) -> bool {
        !matches!(self, Self::Custom | Self::Mcp | Self::Composio | Self::Langchain)
    }
}

spelled! {
    /// What a repeated call would do, and so what a crash between a call and its result may do to the call.
    ToolEffect {
        /// A pure edit of the agent's blocks: done by the step function, inside the commit.
        Memory = "memory";
        /// Reads, or writes only through its outcome, which is part of the commit. May be run again.
        Repeatable = "repeatable";
        /// Committed before it runs, and may be run again: its effect is named after the call, so it happens
        /// once.
        Journaled = "journaled";
        /// Changes the world outside our database: committed before it runs, never run twice.
        Once = "once";
    }
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
    /// What a repeated call of it would do.
    pub effect: ToolEffect,
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
