//! Talking to other agents.

use engram_domain::ToolKind::MultiAgentCore;

use crate::builtin::{
    BuiltinTool,
    schema::{Ty, required},
};

/// What the manager of a supervisor group has besides its own tools. It is nobody's to attach, so it is in no list.
pub(in crate::builtin) const SUPERVISOR: BuiltinTool = BuiltinTool {
    name: "send_message_to_all_agents_in_group",
    kind: MultiAgentCore,
    description: "Send a message to every agent of the group that you supervise and wait for their answers, which are \
                  returned as a list.",
    parallel: false,
    params: &[required("message", Ty::Text, "What to say. The other agents do not know your conversation.")],
};

pub(super) const TOOLS: &[BuiltinTool] = &[
    BuiltinTool {
        name: "send_message_to_agent_and_wait_for_reply",
        kind: MultiAgentCore,
        description: "Send a message to another agent and wait for its answer, which is returned.",
        parallel: false,
        params: &[
            required("message", Ty::Text, "What to say. The other agent does not know your conversation."),
            required("other_agent_id", Ty::Text, "Its id, agent-<uuid>."),
        ],
    },
    BuiltinTool {
        name: "send_message_to_agent_async",
        kind: MultiAgentCore,
        description: "Send a message to another agent and go on at once. If it answers, the answer arrives later as a \
                      message to you.",
        parallel: false,
        params: &[
            required("message", Ty::Text, "What to say. The other agent does not know your conversation."),
            required("other_agent_id", Ty::Text, "Its id, agent-<uuid>."),
        ],
    },
    BuiltinTool {
        name: "send_message_to_agents_matching_tags",
        kind: MultiAgentCore,
        description: "Send a message to every agent with certain tags and wait for their answers, which are returned as \
                      a list.",
        parallel: false,
        params: &[
            required("message", Ty::Text, "What to say. The other agents do not know your conversation."),
            required("match_all", Ty::List(&Ty::Text), "Tags that an agent must all have. May be empty."),
            required("match_some", Ty::List(&Ty::Text), "Tags of which an agent must have at least one. May be empty."),
        ],
    },
];
