//! Voice agents and the companions that keep their memory.

use engram_domain::{
    ToolEffect::{Memory, Repeatable},
    ToolKind::VoiceSleeptimeCore,
};

use crate::{
    builtin::{
        BuiltinTool, PLAIN, RunBy, in_step,
        schema::{Ty, optional, required},
    },
    memory::tools,
};

const CHUNK: &[crate::builtin::schema::Param] = &[
    required("start_index", Ty::Integer, "First line of the range."),
    required("end_index", Ty::Integer, "Last line of the range; it is part of it."),
    required("context", Ty::Text, "One or two sentences that say what the lines are about and why they matter."),
];

const BASE: BuiltinTool = BuiltinTool { kind: VoiceSleeptimeCore, effect: Repeatable, run: RunBy::Runner, ..PLAIN };

pub(super) const TOOLS: &[BuiltinTool] = &[
    BuiltinTool {
        name: "search_memory",
        searches_messages: true,
        description: "Look into long-term memory and earlier conversation for something that is not in the context. \
                      Needs at least one keyword or a time window. Fast enough to use in the middle of a spoken \
                      conversation.",
        params: &[
            optional(
                "convo_keyword_queries",
                Ty::List(&Ty::Text),
                "Keywords; earlier messages with any of them are found.",
            ),
            optional("start_minutes_ago", Ty::Integer, "The window opens this many minutes ago."),
            optional("end_minutes_ago", Ty::Integer, "The window closes this many minutes ago; now when left out."),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "store_memories",
        description: "Archive the parts of a transcript that are worth keeping before it leaves the context. Each \
                      range of lines becomes one memory, stored together with your note on it. Leave out small talk.",
        params: &[required(
            "chunks",
            Ty::List(&Ty::Object(CHUNK)),
            "The ranges, in order, without overlaps, by the line numbers that the transcript shows.",
        )],
        ..BASE
    },
    BuiltinTool {
        name: "rethink_user_memory",
        effect: Memory,
        run: in_step(tools::rethink_user_memory),
        description: "Write the memory block about the user (label human) anew. What you give replaces its whole text, \
                      so carry over everything that is still true, and put absolute dates for relative ones.",
        params: &[required("new_memory", Ty::Text, "The whole new text of the block.")],
        ..BASE
    },
    BuiltinTool {
        name: "finish_rethinking_memory",
        effect: Memory,
        run: in_step(tools::finish),
        description: "Say that memory is up to date. Ends your turn.",
        params: &[],
        ..BASE
    },
];
