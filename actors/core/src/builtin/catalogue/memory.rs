//! Editing memory blocks as texts.

use engram_domain::{ToolEffect::Memory, ToolKind::MemoryCore};

use crate::{
    builtin::{
        BaseRule, BuiltinTool, PLAIN, in_step,
        schema::{Ty, optional, required},
    },
    memory::tools,
};

const BASE: BuiltinTool = BuiltinTool { kind: MemoryCore, effect: Memory, rule: BaseRule::Continue, ..PLAIN };

pub(super) const TOOLS: &[BuiltinTool] = &[
    BuiltinTool {
        name: "core_memory_append",
        run: in_step(tools::core_memory_append),
        description: "Add text as a new line at the end of a memory block. Returns the block's new text.",
        params: &[
            required("label", Ty::Text, "Which block, by its label."),
            required("content", Ty::Text, "What to add."),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "core_memory_replace",
        run: in_step(tools::core_memory_replace),
        description: "Replace text in a memory block, everywhere it occurs. Returns the block's new text.",
        params: &[
            required("label", Ty::Text, "Which block, by its label."),
            required("old_content", Ty::Text, "The text to replace, exactly as it stands in the block."),
            required("new_content", Ty::Text, "What to put in its place. An empty string deletes it."),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "memory",
        run: in_step(tools::memory),
        description: "Work on your memory blocks with one command. A block is named by a path, /memories/<label>.\n\
                      - create: a new block (path, description, optionally file_text).\n\
                      - str_replace: replace a text that occurs exactly once (path, old_string, new_string).\n\
                      - insert: put text after a line (path, insert_text, optionally insert_line).\n\
                      - delete: take a block out of your memory (path).\n\
                      - rename: give a block another label (old_path, new_path) or another description (path, \
                      description).\n\
                      - view: show a block (path), or list all blocks.",
        params: &[
            required("command", Ty::Text, "One of create, str_replace, insert, delete, rename, view."),
            optional("path", Ty::Text, "The block, as /memories/<label>."),
            optional("file_text", Ty::Text, "create: its first text. Empty when left out."),
            optional("description", Ty::Text, "create, rename: what the block is for."),
            optional("old_string", Ty::Text, "str_replace: the text to replace; must occur exactly once.")
                .formerly("old_str"),
            optional("new_string", Ty::Text, "str_replace: what to put in its place. Left out, the text is deleted.")
                .formerly("new_str"),
            optional(
                "insert_line",
                Ty::Integer,
                "insert: the line to insert after. 0 is the top; the end when left out or -1.",
            ),
            optional("insert_text", Ty::Text, "insert: the text."),
            optional("old_path", Ty::Text, "rename: the block, as /memories/<label>."),
            optional("new_path", Ty::Text, "rename: its new path, as /memories/<label>."),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "memory_apply_patch",
        run: in_step(tools::memory_apply_patch),
        description: "Apply several edits at once; either all of them happen or none does. The patch is a unified \
                      diff of the block `label`: lines that begin with a space are context and stay, lines with - go, \
                      lines with + come, and @@ begins another place. Give enough context for each place to be \
                      unique; no line numbers are needed. To work on several blocks, write sections instead: \
                      \"*** Add Block: <label>\" followed by + lines, \"*** Delete Block: <label>\", or \
                      \"*** Update Block: <label>\", optionally \"*** Move to: <new label>\", followed by a diff.",
        params: &[
            required("label", Ty::Text, "The block that a plain diff is for. Sections name their blocks themselves."),
            required("patch", Ty::Text, "The diff, or the sections."),
        ],
        ..BASE
    },
];
