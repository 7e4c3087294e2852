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
//! To add a tool: a function in `tools` that edits a `Draft`, and its entry in [`crate::builtin`], which names that
//! function. Nothing here knows the catalogue.

mod args;
mod draft;
mod lines;
mod multi;
mod patch;
mod text;
pub(crate) mod tools;

use std::sync::Arc;

pub(crate) use draft::Draft;
use engram_domain::{Block, BlockId, JsonMap, Time};
pub(crate) use lines::excerpt;

use crate::ports::{store::BlockWrite, tools::BlockEdit};

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

/// A tool as a function of its arguments and the blocks; the error is a sentence for the model.
#[derive(Debug, Clone, Copy)]
pub struct EditFn(pub(crate) fn(&mut Draft<'_, '_>, &JsonMap) -> Result<String, String>);

/// Runs a tool on the blocks. Its arguments were prepared before ([`crate::builtin::prepare`]). The error is a sentence
/// for the model; nothing is changed then.
pub fn apply(
    tool: EditFn,
    args: &JsonMap,
    blocks: &[Arc<Block>],
    context: &mut EditContext<'_>,
) -> Result<Edit, String> {
    let mut draft = Draft::new(blocks, context);
    let text = tool.0(&mut draft, args)?;
    let (writes, blocks) = draft.finish();
    Ok(Edit { text, writes, blocks })
}

/// Gives blocks the texts that a tool outside the step has left in them; `text` of the result is empty. An error says in
/// a sentence which of them cannot be stored and why: then none is.
pub fn set_values(edits: &[BlockEdit], blocks: &[Arc<Block>], context: &mut EditContext<'_>) -> Result<Edit, String> {
    let mut draft = Draft::new(blocks, context);
    for edit in edits {
        let Some(block) = blocks.iter().find(|b| b.id == edit.id) else {
            return Err("a memory block was taken away from the agent while the tool ran.".to_owned());
        };
        if block.version != edit.version {
            return Err(format!("the memory block '{}' was changed by somebody else while the tool ran.", block.label));
        }
        if block.value != edit.value {
            draft.set(&block.label, edit.value.clone())?;
        }
    }
    let (writes, blocks) = draft.finish();
    Ok(Edit { text: String::new(), writes, blocks })
}

#[cfg(test)]
mod tests;
