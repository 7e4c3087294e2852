//! Rules that belong to the loop of voice agents and their companions, and not to any one agent: they are never stored,
//! and no API shows them.

use std::borrow::Cow;

use engram_domain::{Agent, AgentType, ToolRule, rule::RuleKind};

const STORE: &str = "store_memories";
const RETHINK: &str = "rethink_user_memory";
const FINISH: &str = "finish_rethinking_memory";

/// The rules that an agent's turns go by: its own, and those of its type's loop.
pub fn loop_rules<'a>(agent: &'a Agent, attached: impl Iterator<Item = &'a str> + Clone) -> Cow<'a, [ToolRule]> {
    let own = agent.tool_rules.as_slice();
    let more = match agent.agent_type {
        AgentType::VoiceConvoAgent => after_tools(own, attached),
        AgentType::VoiceSleeptimeAgent => in_order(own, &attached),
        _ => return Cow::Borrowed(own),
    };
    if more.is_empty() { Cow::Borrowed(own) } else { own.iter().cloned().chain(more).collect() }
}

/// A voice agent that used a tool goes on, whether it asked to or not: silence is no answer to somebody who listens.
fn after_tools<'a>(own: &[ToolRule], attached: impl Iterator<Item = &'a str>) -> Vec<ToolRule> {
    let ruled = |name: &str| own.iter().any(|r| r.tool_name == name && r.kind == RuleKind::Terminal);
    attached
        .filter(|name| *name != "send_message" && !ruled(name))
        .map(|n| ToolRule::new(n, RuleKind::Continue))
        .collect()
}

/// A companion archives first, then rewrites what it knows of the user, and goes on until it says that it is done. One
/// that has rules of its own goes by those.
fn in_order<'a>(own: &[ToolRule], attached: &(impl Iterator<Item = &'a str> + Clone)) -> Vec<ToolRule> {
    if !own.is_empty() || ![STORE, RETHINK, FINISH].iter().all(|name| attached.clone().any(|have| have == *name)) {
        return vec![];
    }
    let rethink = RuleKind::Child { children: vec![RETHINK.into()], child_arg_nodes: None };
    vec![
        ToolRule::new(STORE, RuleKind::Init { args: None }),
        ToolRule::new(STORE, rethink),
        ToolRule::new(RETHINK, RuleKind::Continue),
        ToolRule::new(FINISH, RuleKind::Terminal),
    ]
}
