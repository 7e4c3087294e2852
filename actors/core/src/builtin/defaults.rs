//! With which tools and rules an agent starts.
//!
//! The union of both server generations: an agent of a type gets what either of them gave it, so
//! that archival memory is there for old programs and nothing is missing for new ones.

use engram_domain::{AgentType, ToolRule, rule::RuleKind};

use super::{BaseRule, find};

/// What the request that creates an agent says about built-in tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultsRequest {
    /// Whether the agent gets the tools of its type at all.
    pub include_base_tools: bool,
    /// Whether it gets the tools to talk to other agents.
    pub include_multi_agent_tools: bool,
    /// Whether a companion edits its memory, so that it does not itself.
    pub enable_sleeptime: bool,
}

impl Default for DefaultsRequest {
    fn default() -> Self {
        Self { include_base_tools: true, include_multi_agent_tools: false, enable_sleeptime: false }
    }
}

/// Names of the built-in tools that a new agent of this type gets.
pub fn defaults_for(agent_type: AgentType, request: DefaultsRequest) -> Vec<&'static str> {
    let mut names = vec![];
    if request.include_base_tools {
        names.extend_from_slice(base(agent_type, request.enable_sleeptime));
    }
    if request.include_multi_agent_tools {
        names.extend([
            "send_message_to_agent_and_wait_for_reply",
            "send_message_to_agent_async",
            "send_message_to_agents_matching_tags",
        ]);
    }
    names
}

fn base(agent_type: AgentType, sleeptime: bool) -> &'static [&'static str] {
    match agent_type {
        AgentType::MemgptAgent | AgentType::MemgptV2Agent if sleeptime => {
            &["send_message", "conversation_search", "archival_memory_search"]
        }
        // It speaks in plain text: `send_message` would only confuse it.
        AgentType::LettaV1Agent if sleeptime => &["conversation_search", "archival_memory_search"],
        AgentType::MemgptAgent | AgentType::SplitThreadAgent => &[
            "send_message",
            "conversation_search",
            "archival_memory_insert",
            "archival_memory_search",
            "core_memory_append",
            "core_memory_replace",
        ],
        AgentType::MemgptV2Agent => &[
            "send_message",
            "conversation_search",
            "archival_memory_insert",
            "archival_memory_search",
            "memory_insert",
            "memory_replace",
        ],
        AgentType::LettaV1Agent => &["conversation_search", "memory_insert", "memory_replace"],
        AgentType::ReactAgent | AgentType::WorkflowAgent => &[],
        AgentType::SleeptimeAgent => &["memory_replace", "memory_insert", "memory_rethink", "memory_finish_edits"],
        AgentType::VoiceConvoAgent => &["send_message", "search_memory"],
        AgentType::VoiceSleeptimeAgent => &["store_memories", "rethink_user_memory", "finish_rethinking_memory"],
    }
}

/// Rules that come with built-in tools: those that hand the turn back end it, the other messaging
/// and memory tools continue it; tools of users get none. `asked` is `include_base_tool_rules` of
/// the request: left out, the types whose loop needs no rules get none.
pub fn base_rules<S: AsRef<str>>(tool_names: &[S], agent_type: AgentType, asked: Option<bool>) -> Vec<ToolRule> {
    let wanted = asked.unwrap_or(!matches!(
        agent_type,
        AgentType::LettaV1Agent | AgentType::ReactAgent | AgentType::WorkflowAgent | AgentType::VoiceSleeptimeAgent
    ));
    if !wanted {
        return vec![];
    }
    let rule = |name: &S| {
        let kind = match find(name.as_ref())?.rule {
            BaseRule::Terminal => RuleKind::Terminal,
            BaseRule::Continue => RuleKind::Continue,
            BaseRule::None => return None,
        };
        Some(ToolRule::new(name.as_ref(), kind))
    };
    tool_names.iter().filter_map(rule).collect()
}
