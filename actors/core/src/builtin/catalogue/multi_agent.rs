//! Talking to other agents.

use engram_domain::{
    ToolEffect::{Journaled, Repeatable},
    ToolKind::MultiAgentCore,
};

use crate::builtin::{
    BaseRule, BuiltinTool, PLAIN, RunBy,
    schema::{Ty, required},
};

/// The other agent knows a message by the name of its call, and gets it once.
const BASE: BuiltinTool = BuiltinTool { kind: MultiAgentCore, effect: Journaled, run: RunBy::Runner, ..PLAIN };

/// What the manager of a supervisor group has besides its own tools. It is nobody's to attach, so it is in no list.
pub(in crate::builtin) const SUPERVISOR: BuiltinTool = BuiltinTool {
    name: "send_message_to_all_agents_in_group",
    description: "Send a message to every agent of the group that you supervise and wait for their answers, which are \
                  returned as a list.",
    params: &[required("message", Ty::Text, "What to say. The other agents do not know your conversation.")],
    ..BASE
};

pub(super) const TOOLS: &[BuiltinTool] = &[
    BuiltinTool {
        name: "send_message_to_agent_and_wait_for_reply",
        description: "Send a message to another agent and wait for its answer, which is returned.",
        params: &[
            required("message", Ty::Text, "What to say. The other agent does not know your conversation."),
            required("other_agent_id", Ty::Text, "Its id, agent-<uuid>."),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "send_message_to_agent_async",
        // The message goes out with the commit that holds the result.
        effect: Repeatable,
        rule: BaseRule::Terminal,
        description: "Send a message to another agent and go on at once. If it answers, the answer arrives later as a \
                      message to you.",
        params: &[
            required("message", Ty::Text, "What to say. The other agent does not know your conversation."),
            required("other_agent_id", Ty::Text, "Its id, agent-<uuid>."),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "send_message_to_agents_matching_tags",
        // The name in the old documentation; no server ever listed a tool of it.
        alias: Some("send_message_to_agents_matching_all_tags"),
        description: "Send a message to every agent with certain tags and wait for their answers, which are returned as \
                      a list.",
        params: &[
            required("message", Ty::Text, "What to say. The other agents do not know your conversation."),
            required("match_all", Ty::List(&Ty::Text), "Tags that an agent must all have. May be empty.")
                .formerly("tags"),
            // The old documentation's variant of the tool has no second list.
            required("match_some", Ty::List(&Ty::Text), "Tags of which an agent must have at least one. May be empty.")
                .or_empty(),
        ],
        ..BASE
    },
];
