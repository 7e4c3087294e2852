//! What is asked for when an agent is made or changed, in the words of the domain.

use std::collections::BTreeMap;

use engram_domain::{AgentType, BlockId, MessageId, ToolId, run::InputMessage};
use engram_store::agents::AgentPatch;

use super::models::{EmbeddingWish, LlmWish};
use crate::app::blocks::BlockSpec;

/// An agent to be made. Not `Debug`: its variables are secrets.
#[derive(Clone)]
pub struct AgentSpec {
    /// Its loop, and with it the defaults of whatever is absent below.
    pub agent_type: AgentType,
    /// Members that are kept as they are given. What has a member of its own below is not read here: models, variables,
    /// tools, blocks.
    pub settings: AgentPatch,
    /// Its model.
    pub llm: LlmWish,
    /// Its embedding model.
    pub embedding: EmbeddingWish,
    /// Variables for its tools.
    pub env: BTreeMap<String, String>,
    /// Its tools.
    pub tools: ToolWish,
    /// Whether the rules of the tools of its type are added; decided by its type when absent.
    pub include_base_tool_rules: Option<bool>,
    /// Existing blocks to attach, before the new ones.
    pub block_ids: Vec<BlockId>,
    /// Blocks to create.
    pub blocks: Vec<BlockSpec>,
    /// Values for `{{name}}` in the new blocks.
    pub block_variables: BTreeMap<String, String>,
    /// First messages instead of those of its type.
    pub first_messages: Option<Vec<InputMessage>>,
}

#[cfg(test)]
impl AgentSpec {
    /// An agent of which nothing is said but its type.
    pub fn new(agent_type: AgentType) -> Self {
        Self {
            agent_type,
            settings: AgentPatch::default(),
            llm: LlmWish::default(),
            embedding: EmbeddingWish::default(),
            env: BTreeMap::new(),
            tools: ToolWish::default(),
            include_base_tool_rules: None,
            block_ids: vec![],
            blocks: vec![],
            block_variables: BTreeMap::new(),
            first_messages: None,
        }
    }
}

/// The tools that an agent starts with.
#[derive(Debug, Clone)]
pub struct ToolWish {
    /// Tools by name.
    pub names: Vec<String>,
    /// Tools by id.
    pub ids: Vec<ToolId>,
    /// Whether the tools of its type come too.
    pub include_base_tools: bool,
    /// Whether the tools to talk to other agents come too.
    pub include_multi_agent_tools: bool,
}

impl Default for ToolWish {
    fn default() -> Self {
        Self { names: vec![], ids: vec![], include_base_tools: true, include_multi_agent_tools: false }
    }
}

/// Changes of an agent; what is absent stays as it is. Not `Debug`: variables are secrets.
#[derive(Clone, Default)]
pub struct AgentChange {
    /// Members that are kept as they are given. Models and variables are read below, not here.
    pub settings: AgentPatch,
    /// Its model.
    pub llm: LlmWish,
    /// Its embedding model.
    pub embedding: EmbeddingWish,
    /// All its variables.
    pub env: Option<BTreeMap<String, String>>,
    /// Messages to keep in context: the system message, the summary or not, and the latest of the others.
    pub message_ids: Option<Vec<MessageId>>,
}
