//! Editing memory blocks line by line.

use engram_domain::ToolKind::SleeptimeCore;

use crate::builtin::{
    BuiltinTool,
    schema::{Ty, optional, required},
};

pub(super) const TOOLS: &[BuiltinTool] = &[
    BuiltinTool {
        name: "memory_insert",
        kind: SleeptimeCore,
        description: "Insert text into a memory block after a given line, or at its end. Returns the block's new text. \
                      Do not write line numbers into the text, even where the block is shown with them.",
        parallel: false,
        params: &[
            required("label", Ty::Text, "Which block, by its label."),
            required("new_string", Ty::Text, "The text to insert. It gets lines of its own."),
            optional(
                "insert_line",
                Ty::Integer,
                "The line to insert after. 0 is the top of the block; the end when left out or -1.",
            ),
        ],
    },
    BuiltinTool {
        name: "memory_replace",
        kind: SleeptimeCore,
        description: "Replace a text in a memory block that occurs in it exactly once. Returns the block's new text. \
                      Do not write line numbers into either text, even where the block is shown with them.",
        parallel: false,
        params: &[
            required("label", Ty::Text, "Which block, by its label."),
            required(
                "old_string",
                Ty::Text,
                "The text to replace, exactly as it stands in the block, line breaks and spaces included. Take in \
                 enough of its surroundings that it occurs only once.",
            ),
            required("new_string", Ty::Text, "What to put in its place. An empty string deletes it."),
        ],
    },
    BuiltinTool {
        name: "memory_rethink",
        kind: SleeptimeCore,
        description: "Write a memory block anew. What you give replaces its whole text, so carry over everything that \
                      is still true. For large changes: reorganizing, condensing, merging; for a small one use \
                      memory_replace or memory_insert. Returns the block's new text.",
        parallel: false,
        params: &[
            required("label", Ty::Text, "Which block, by its label."),
            required("new_memory", Ty::Text, "The whole new text of the block."),
        ],
    },
    BuiltinTool {
        name: "memory_finish_edits",
        kind: SleeptimeCore,
        description: "Say that you are done with editing memory. Ends your turn.",
        parallel: false,
        params: &[],
    },
];
