//! Voice agents and the companions that keep their memory.

use engram_domain::ToolKind::VoiceSleeptimeCore;

use crate::builtin::{
    BuiltinTool,
    schema::{Ty, optional, required},
};

const CHUNK: &[crate::builtin::schema::Param] = &[
    required("start_index", Ty::Integer, "First line of the range."),
    required("end_index", Ty::Integer, "Last line of the range; it is part of it."),
    required("context", Ty::Text, "One or two sentences that say what the lines are about and why they matter."),
];

pub(super) const TOOLS: &[BuiltinTool] = &[
    BuiltinTool {
        name: "search_memory",
        kind: VoiceSleeptimeCore,
        description: "Look into long-term memory and earlier conversation for something that is not in the context. \
                      Needs at least one keyword or a time window. Fast enough to use in the middle of a spoken \
                      conversation.",
        parallel: false,
        params: &[
            optional(
                "convo_keyword_queries",
                Ty::List(&Ty::Text),
                "Keywords; earlier messages with any of them are found.",
            ),
            optional("start_minutes_ago", Ty::Integer, "The window opens this many minutes ago."),
            optional("end_minutes_ago", Ty::Integer, "The window closes this many minutes ago; now when left out."),
        ],
    },
    BuiltinTool {
        name: "store_memories",
        kind: VoiceSleeptimeCore,
        description: "Archive the parts of a transcript that are worth keeping before it leaves the context. Each \
                      range of lines becomes one memory, stored together with your note on it. Leave out small talk.",
        parallel: false,
        params: &[required(
            "chunks",
            Ty::List(&Ty::Object(CHUNK)),
            "The ranges, in order, without overlaps, by the line numbers that the transcript shows.",
        )],
    },
    BuiltinTool {
        name: "rethink_user_memory",
        kind: VoiceSleeptimeCore,
        description: "Write the memory block about the user (label human) anew. What you give replaces its whole text, \
                      so carry over everything that is still true, and put absolute dates for relative ones.",
        parallel: false,
        params: &[required("new_memory", Ty::Text, "The whole new text of the block.")],
    },
    BuiltinTool {
        name: "finish_rethinking_memory",
        kind: VoiceSleeptimeCore,
        description: "Say that memory is up to date. Ends your turn.",
        parallel: false,
        params: &[],
    },
];
