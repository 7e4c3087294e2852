//! Tool rules: constraints on the order and number of tool calls within a run.
//!
//! Their meaning is in `engram_core::rules`; the spelling here is the wire's and the one in the
//! database.

use serde::{Deserialize, Serialize};

use crate::{Json, JsonMap};

/// A constraint on one tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolRule {
    /// The tool it speaks of.
    pub tool_name: String,
    /// What it demands.
    #[serde(flatten)]
    pub kind: RuleKind,
    /// A text for the prompt; kept for the caller, not rendered.
    #[serde(default)]
    pub prompt_template: Option<String>,
}

/// Arguments for a child tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildArgs {
    /// The child.
    pub name: String,
    /// Arguments to fill in.
    #[serde(default)]
    pub args: Option<JsonMap>,
}

/// What a rule demands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RuleKind {
    /// Nothing but tools with this rule may be called first.
    #[serde(rename = "run_first")]
    Init {
        /// Arguments to fill in.
        #[serde(default)]
        args: Option<JsonMap>,
    },
    /// A successful call ends the turn.
    #[serde(rename = "exit_loop")]
    Terminal,
    /// The turn goes on after a call.
    #[serde(rename = "continue_loop")]
    Continue,
    /// Directly after a call only the children may be called.
    #[serde(rename = "constrain_child_tools")]
    Child {
        /// The tools allowed next.
        children: Vec<String>,
        /// Arguments to fill in for them.
        #[serde(default)]
        child_arg_nodes: Option<Vec<ChildArgs>>,
    },
    /// The children may be called only directly after this tool. One example of the
    /// documentation spells it `parent`.
    #[serde(rename = "parent_last_tool", alias = "parent")]
    Parent {
        /// The tools that need it.
        children: Vec<String>,
    },
    /// The result of a call decides which tool comes next.
    Conditional {
        /// When no key matches; all tools when absent.
        #[serde(default)]
        default_child: Option<String>,
        /// From result to tool.
        child_output_mapping: serde_json::Map<String, Json>,
        /// Whether a result without a match is an error.
        #[serde(default)]
        require_output_mapping: bool,
    },
    /// No more calls than this within a run.
    MaxCountPerStep {
        /// The number.
        max_count_limit: i64,
    },
    /// The turn may not end before a call.
    RequiredBeforeExit,
    /// A call waits for a person.
    RequiresApproval,
}

impl ToolRule {
    /// A rule without a text.
    pub fn new(tool_name: impl Into<String>, kind: RuleKind) -> Self {
        Self { tool_name: tool_name.into(), kind, prompt_template: None }
    }
}
