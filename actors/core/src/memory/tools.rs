//! The tools that the step function executes itself, inside the commit: one function each, named like its tool. They
//! need nothing but the arguments, which were prepared before, and the blocks.

use engram_domain::JsonMap;

use super::{
    args::{int_arg, text_arg},
    draft::Draft,
    multi, patch, text,
};

/// What a tool returns that returns nothing.
const NOTHING: &str = "None";

type Done = Result<String, String>;

/// The words are in the call itself, which is what the client is shown. The text is what clients know.
#[expect(clippy::unnecessary_wraps, reason = "the signature of every memory tool")]
pub(crate) fn send_message(_: &mut Draft<'_, '_>, _: &JsonMap) -> Done {
    Ok("Sent message successfully.".to_owned())
}

pub(crate) fn core_memory_append(draft: &mut Draft<'_, '_>, args: &JsonMap) -> Done {
    text::append(draft, text_arg(args, "label"), text_arg(args, "content"))
}

pub(crate) fn core_memory_replace(draft: &mut Draft<'_, '_>, args: &JsonMap) -> Done {
    text::replace_all(draft, text_arg(args, "label"), text_arg(args, "old_content"), text_arg(args, "new_content"))
}

pub(crate) fn memory(draft: &mut Draft<'_, '_>, args: &JsonMap) -> Done {
    multi::run(draft, args)
}

pub(crate) fn memory_apply_patch(draft: &mut Draft<'_, '_>, args: &JsonMap) -> Done {
    patch::run(draft, text_arg(args, "label"), text_arg(args, "patch"))
}

pub(crate) fn memory_insert(draft: &mut Draft<'_, '_>, args: &JsonMap) -> Done {
    text::insert(draft, text_arg(args, "label"), text_arg(args, "new_string"), int_arg(args, "insert_line"))
}

pub(crate) fn memory_replace(draft: &mut Draft<'_, '_>, args: &JsonMap) -> Done {
    text::replace_one(draft, text_arg(args, "label"), text_arg(args, "old_string"), text_arg(args, "new_string"))
}

pub(crate) fn memory_rethink(draft: &mut Draft<'_, '_>, args: &JsonMap) -> Done {
    text::rethink(draft, text_arg(args, "label"), text_arg(args, "new_memory"))
}

pub(crate) fn rethink_user_memory(draft: &mut Draft<'_, '_>, args: &JsonMap) -> Done {
    text::rethink(draft, "human", text_arg(args, "new_memory")).map(|_| NOTHING.to_owned())
}

/// `memory_finish_edits` and `finish_rethinking_memory`: what they mean is in the rules.
#[expect(clippy::unnecessary_wraps, reason = "the signature of every memory tool")]
pub(crate) fn finish(_: &mut Draft<'_, '_>, _: &JsonMap) -> Done {
    Ok(NOTHING.to_owned())
}
