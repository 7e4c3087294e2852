//! Messaging, recall and archival memory.

use engram_domain::{ToolEffect::Repeatable, ToolKind::Core};

use crate::{
    builtin::{
        BaseRule, BuiltinTool, PLAIN, RunBy, in_step,
        schema::{Ty, optional, required},
    },
    memory::tools,
};

const BASE: BuiltinTool =
    BuiltinTool { kind: Core, effect: Repeatable, run: RunBy::Runner, rule: BaseRule::Continue, ..PLAIN };

pub(super) const TOOLS: &[BuiltinTool] = &[
    BuiltinTool {
        name: "send_message",
        run: in_step(tools::send_message),
        rule: BaseRule::Terminal,
        description: "Show a message to the user. This is the only thing that the user can see.",
        params: &[required("message", Ty::Text, "What to say. Any Unicode text, emoji included.")],
        ..BASE
    },
    BuiltinTool {
        name: "conversation_search",
        searches_messages: true,
        description: "Search earlier messages, also those that no longer fit into your context. Messages that \
                      contain the whole query come first, then those that share most of its words, newer before \
                      older. Without a query the newest messages are returned. Prefer a few distinctive words \
                      (a name, a place, a number) to a whole question.",
        parallel: true,
        params: &[
            optional("query", Ty::Text, "Words to look for. Leave it out to go by role and date only."),
            optional(
                "roles",
                Ty::List(&Ty::OneOf(&["assistant", "user", "tool"])),
                "Only messages from these speakers. All of them when left out.",
            ),
            optional("limit", Ty::Integer, "How many results at most, 1 to 50. 5 when left out."),
            optional(
                "start_date",
                Ty::Text,
                "Only messages from this moment on: a date such as 2026-03-01, which means its first instant in \
                 your time zone, or an ISO 8601 time.",
            ),
            optional(
                "end_date",
                Ty::Text,
                "Only messages up to this moment: a date such as 2026-03-31, which includes the whole day in your \
                 time zone, or an ISO 8601 time.",
            ),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "archival_memory_insert",
        description: "Store a piece of knowledge in archival memory, which is unlimited and stays when the \
                      conversation is gone. Write one self-contained fact, note or summary at a time, in words that \
                      you would search for later.",
        params: &[
            required("content", Ty::Text, "What to remember. It must make sense without the conversation around it."),
            optional(
                "tags",
                Ty::List(&Ty::Text),
                "Short labels to find it by, such as \"travel\" or \"project-x\". Use the same tags for the same topic.",
            ),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "archival_memory_search",
        description: "Search archival memory by meaning. Returns the closest entries with their time and tags, best \
                      first. Say what you look for in plain words; narrow it by tags or by time if there is too much.",
        parallel: true,
        params: &[
            required("query", Ty::Text, "What to look for, in plain words."),
            optional("tags", Ty::List(&Ty::Text), "Only entries with these tags."),
            optional(
                "tag_match_mode",
                Ty::OneOf(&["any", "all"]),
                "Whether an entry needs \"any\" of the tags, as when this is left out, or \"all\" of them.",
            ),
            optional("top_k", Ty::Integer, "How many results at most, 1 to 100. 5 when left out."),
            optional(
                "start_datetime",
                Ty::Text,
                "Only entries stored from this moment on: a date, which means its first instant in your time zone, \
                 or an ISO 8601 time.",
            ),
            optional(
                "end_datetime",
                Ty::Text,
                "Only entries stored up to this moment: a date, which includes the whole day in your time zone, or \
                 an ISO 8601 time.",
            ),
        ],
        ..BASE
    },
];
