//! Edits of memory blocks, as pure functions.
//!
//! What it does: [`apply`] runs a memory tool on an agent's blocks and returns the text for the
//! model, the blocks after it, and the writes that bring the database there.
//!
//! Invariants: total (no argument makes it panic) and all or nothing (an error changes nothing). No
//! edit makes a block longer than its limit, which counts characters (Unicode scalar values). A
//! read-only block is never touched. The writes are the difference between the blocks before and
//! after, so they cannot disagree with what the model was told; an edit that changes nothing writes
//! nothing and leaves the prompt as it was.
//!
//! To add a tool: its schema in [`crate::builtin`], a function here that edits a `Draft`, and a
//! line in `run`.

mod draft;
mod lines;
mod multi;
mod patch;
mod text;

use std::sync::Arc;

use draft::Draft;
use engram_domain::{Block, BlockId, Json, JsonMap, Time};

use crate::{builtin, ports::store::BlockWrite};

/// What an edit takes from its surroundings.
pub struct EditContext<'a> {
    /// Now: when changed blocks were updated and new ones created.
    pub now: Time,
    /// Ids for new blocks.
    pub new_block: &'a mut dyn FnMut() -> BlockId,
}

/// A finished edit.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// What the tool returns to the model: mostly the new text of the block.
    pub text: String,
    /// What to write. Each block at most once; `version` of a `Set` is the one in the blocks given.
    pub writes: Vec<BlockWrite>,
    /// The blocks after the edit, in the order they were given, new ones last. Those that are
    /// written have the version that they will have after the commit, so that further edits can
    /// follow in the same commit.
    pub blocks: Vec<Arc<Block>>,
}

/// Whether the built-in tool of this name is a pure edit of blocks. A user's own tool may have the
/// same name: whoever runs a call asks the executor for the effect of the tool, not this.
pub fn is_memory_tool(name: &str) -> bool {
    matches!(
        name,
        "core_memory_append"
            | "core_memory_replace"
            | "memory"
            | "memory_apply_patch"
            | "memory_insert"
            | "memory_replace"
            | "memory_rethink"
            | "memory_finish_edits"
            | "rethink_user_memory"
            | "finish_rethinking_memory"
    )
}

/// Runs a memory tool. Arguments may have the names of either server generation. The error is a
/// sentence for the model; nothing is changed then.
pub fn apply(
    tool: &str,
    mut args: JsonMap,
    blocks: &[Arc<Block>],
    context: &mut EditContext<'_>,
) -> Result<Edit, String> {
    builtin::prepare(tool, &mut args)?;
    let mut draft = Draft::new(blocks, context);
    let text = run(tool, &args, &mut draft)?;
    let (writes, blocks) = draft.finish();
    Ok(Edit { text, writes, blocks })
}

fn run(tool: &str, args: &JsonMap, draft: &mut Draft<'_, '_>) -> Result<String, String> {
    let label = text_arg(args, "label");
    match tool {
        "core_memory_append" => text::append(draft, label, text_arg(args, "content")),
        "core_memory_replace" => {
            text::replace_all(draft, label, text_arg(args, "old_content"), text_arg(args, "new_content"))
        }
        "memory_replace" => text::replace_one(draft, label, text_arg(args, "old_string"), text_arg(args, "new_string")),
        "memory_insert" => text::insert(draft, label, text_arg(args, "new_string"), int_arg(args, "insert_line")),
        "memory_rethink" => text::rethink(draft, label, text_arg(args, "new_memory")),
        "rethink_user_memory" => {
            text::rethink(draft, "human", text_arg(args, "new_memory")).map(|_| NOTHING.to_owned())
        }
        "memory_finish_edits" | "finish_rethinking_memory" => Ok(NOTHING.to_owned()),
        "memory" => multi::run(draft, args),
        "memory_apply_patch" => patch::run(draft, label, text_arg(args, "patch")),
        other => Err(format!("'{other}' is not a memory tool")),
    }
}

/// What a tool returns that returns nothing.
const NOTHING: &str = "None";

/// A string argument; empty when left out (required ones were checked before).
fn text_arg<'a>(args: &'a JsonMap, name: &str) -> &'a str {
    args.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn int_arg(args: &JsonMap, name: &str) -> Option<i64> {
    args.get(name).and_then(Json::as_i64)
}

#[cfg(test)]
mod tests;
