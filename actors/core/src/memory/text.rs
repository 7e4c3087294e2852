//! Edits of one block: append, replace, insert, rewrite.

use super::{
    draft::Draft,
    lines::{excerpt, line_of, refuse_line_prefixes},
};

/// Adds a line at the end.
pub(super) fn append(draft: &mut Draft<'_, '_>, label: &str, content: &str) -> Result<String, String> {
    let value = draft.value(label)?;
    draft.check_size(label, sum([value.chars().count(), 1, content.chars().count()]))?;
    let value = format!("{value}\n{content}");
    draft.set(label, value)
}

/// Replaces every occurrence.
pub(super) fn replace_all(draft: &mut Draft<'_, '_>, label: &str, old: &str, new: &str) -> Result<String, String> {
    let value = draft.value(label)?;
    if old.is_empty() {
        return Err("old_content must not be empty; use core_memory_append to add text.".into());
    }
    let hits = value.matches(old).count();
    if hits == 0 {
        return Err(format!("Old content '{}' not found in memory block '{label}'", excerpt(old)));
    }
    draft.check_size(label, replaced(value, old, new, hits))?;
    let value = value.replace(old, new);
    draft.set(label, value)
}

/// Replaces the only occurrence.
pub(super) fn replace_one(draft: &mut Draft<'_, '_>, label: &str, old: &str, new: &str) -> Result<String, String> {
    refuse_line_prefixes("old_string", old)?;
    refuse_line_prefixes("new_string", new)?;
    let value = draft.value(label)?;
    if old.is_empty() {
        return Err("No replacement was performed, old_string is empty; use memory_insert to add text.".into());
    }
    match value.matches(old).count() {
        0 => Err(format!(
            "No replacement was performed, old_string '{}' does not occur in memory block '{label}'. It must match \
             the block's text exactly.",
            excerpt(old)
        )),
        1 => {
            draft.check_size(label, replaced(value, old, new, 1))?;
            let value = value.replacen(old, new, 1);
            draft.set(label, value)
        }
        several => {
            let hits = value.match_indices(old).take(10);
            let lines: Vec<String> = hits.map(|(offset, _)| line_of(value, offset).to_string()).collect();
            Err(format!(
                "No replacement was performed, old_string '{}' occurs {} times in memory block '{label}' (lines {}). \
                 Include more of the text around the one you mean.",
                excerpt(old),
                several,
                lines.join(", ")
            ))
        }
    }
}

/// Inserts lines after a line; -1 or none is the end. An empty block has no line, though a prompt
/// with line numbers shows one.
pub(super) fn insert(draft: &mut Draft<'_, '_>, label: &str, new: &str, after: Option<i64>) -> Result<String, String> {
    refuse_line_prefixes("the text to insert", new)?;
    let value = draft.value(label)?;
    let lines = if value.is_empty() { 0 } else { value.matches('\n').count() + 1 };
    let at = match after.unwrap_or(-1) {
        -1 => lines,
        n => match usize::try_from(n) {
            Ok(n) if n <= lines.max(1) => n.min(lines),
            _ => {
                return Err(format!(
                    "insert_line must be between 0 and {lines}, the number of lines of memory block '{label}', or \
                     -1 for its end; got {n}."
                ));
            }
        },
    };
    let breaks = usize::from(lines > 0);
    draft.check_size(label, sum([value.chars().count(), new.chars().count(), breaks]))?;
    let value = if lines == 0 {
        new.to_owned()
    } else if at == lines {
        format!("{value}\n{new}")
    } else {
        let (before, after) = value.split_at(start_of_line(value, at));
        format!("{before}{new}\n{after}")
    };
    draft.set(label, value)
}

/// Where line number `n`, counted from 0, begins.
fn start_of_line(text: &str, n: usize) -> usize {
    match n.checked_sub(1) {
        None => 0,
        Some(breaks) => text.match_indices('\n').nth(breaks).map_or(text.len(), |(at, _)| at + 1),
    }
}

/// Characters that a text will have. None: more than can be counted.
fn sum<const N: usize>(chars: [usize; N]) -> Option<usize> {
    chars.into_iter().try_fold(0_usize, usize::checked_add)
}

/// Characters that `value` has with `hits` times `new` in the place of `old`: one short call may ask for gigabytes.
fn replaced(value: &str, old: &str, new: &str, hits: usize) -> Option<usize> {
    let kept = value.chars().count() - hits * old.chars().count();
    new.chars().count().checked_mul(hits)?.checked_add(kept)
}

/// Writes a block anew.
pub(super) fn rethink(draft: &mut Draft<'_, '_>, label: &str, new: &str) -> Result<String, String> {
    refuse_line_prefixes("new_memory", new)?;
    draft.set(label, new.to_owned())
}
