//! Editing memory blocks line by line.

use engram_domain::{ToolEffect::Memory, ToolKind::SleeptimeCore};

use crate::{
    builtin::{
        BaseRule, BuiltinTool, PLAIN, in_step,
        schema::{Ty, optional, required},
    },
    memory::tools,
};

const BASE: BuiltinTool = BuiltinTool { kind: SleeptimeCore, effect: Memory, rule: BaseRule::Continue, ..PLAIN };

pub(super) const TOOLS: &[BuiltinTool] = &[
    BuiltinTool {
        name: "memory_insert",
        run: in_step(tools::memory_insert),
        description: "Insert text into a memory block after a given line, or at its end. Returns the block's new text. \
                      Do not write line numbers into the text, even where the block is shown with them.",
        params: &[
            required("label", Ty::Text, "Which block, by its label."),
            required("new_string", Ty::Text, "The text to insert. It gets lines of its own.").formerly("new_str"),
            optional(
                "insert_line",
                Ty::Integer,
                "The line to insert after. 0 is the top of the block; the end when left out or -1.",
            ),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "memory_replace",
        run: in_step(tools::memory_replace),
        description: "Replace a text in a memory block that occurs in it exactly once. Returns the block's new text. \
                      Do not write line numbers into either text, even where the block is shown with them.",
        params: &[
            required("label", Ty::Text, "Which block, by its label."),
            required(
                "old_string",
                Ty::Text,
                "The text to replace, exactly as it stands in the block, line breaks and spaces included. Take in \
                 enough of its surroundings that it occurs only once.",
            )
            .formerly("old_str"),
            // Optional in the earlier server: left out, the text is deleted.
            required("new_string", Ty::Text, "What to put in its place. An empty string deletes it.")
                .formerly("new_str")
                .or_empty(),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "memory_rethink",
        run: in_step(tools::memory_rethink),
        description: "Write a memory block anew. What you give replaces its whole text, so carry over everything that \
                      is still true. For large changes: reorganizing, condensing, merging; for a small one use \
                      memory_replace or memory_insert. Returns the block's new text.",
        params: &[
            required("label", Ty::Text, "Which block, by its label."),
            required("new_memory", Ty::Text, "The whole new text of the block."),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "memory_finish_edits",
        run: in_step(tools::finish),
        rule: BaseRule::Terminal,
        description: "Say that you are done with editing memory. Ends your turn.",
        params: &[],
        ..BASE
    },
];
